package deferred

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"time"
)

// A Submitter takes calls. It returns when they are stored.
type Submitter interface {
	// Submit stores the calls, in any order. The deferreds are in the order of
	// the calls. A [*BatchError] has one error for each call, nil for those
	// that were stored, whose deferreds are not nil.
	Submit(ctx context.Context, calls ...Call) ([]*Deferred, error)
}

// A Ledger keeps the facts about deferreds.
type Ledger interface {
	// Record is what is known now; ErrNotFound if nothing is. It may refer to
	// others for a large result: see [Record.ResultOf].
	Record(ctx context.Context, id ID) (Record, error)
	// Await returns the record when it is settled, with the whole result. It waits
	// for as long as ctx allows, also for a deferred that nobody has seen yet.
	Await(ctx context.Context, id ID) (Record, error)
	// Do gives a command, which is carried out even if the caller dies. A
	// [*SettledError] says that it came too late.
	Do(ctx context.Context, c Command) error
	// Annotate sets a named value. An older attempt's value never replaces a
	// newer one's: ErrLost.
	Annotate(ctx context.Context, id ID, n Note) error
	// Annotations gives the present values, in no order. An error that comes with a key
	// is in the place of that one value; any other ends them.
	Annotations(ctx context.Context, id ID) iter.Seq2[Note, error]
	// Watch gives the record and the annotations as they are now, if there are
	// any, and then as they change, until the deferred has settled or ctx
	// ends. States that follow one another quickly may be left out, the settled
	// one never.
	Watch(ctx context.Context, id ID) iter.Seq2[Change, error]
}

// A Change is a record or a note, whichever is not nil.
type Change struct {
	Record *Record
	Note   *Note
}

// A Note is a named value on a deferred. JSON(n.Value).Decode reads the value with exact
// numbers.
type Note struct {
	Key     string          `json:"-"`
	Value   json.RawMessage `json:"value"`
	Attempt int             `json:"attempt"` // the attempt that wrote it; 0 if nobody's
	Time    time.Time       `json:"time"`
	Worker  string          `json:"worker,omitempty"`
	Past    bool            `json:"-"` // an earlier attempt than the record's wrote it
}

// Check reports what keeps the note from being stored.
func (n Note) Check() error {
	if err := checkToken(FieldNoteKey, n.Key, false); err != nil {
		return err
	}
	if len(n.Value) > MaxNoteSize {
		return &SizeError{Field: FieldNote, Size: len(n.Value), Limit: MaxNoteSize}
	}
	if fault := jsonFault(n.Value); fault != "" {
		return &InputError{Field: FieldNote, Value: string(n.Value), Rule: "must have a value that is JSON, but " + fault}
	}
	return nil
}

// A Deferred is a durable handle on the outcome of a call. Handles are cheap,
// and good in any process that reaches the ledger.
type Deferred struct {
	id      ID
	ledger  Ledger
	existed bool
}

// Open gives the handle of an id, whether or not anything is known of it yet.
func Open(l Ledger, id ID) *Deferred { return &Deferred{id: id, ledger: l} }

// OpenExisting is Open for a submitter to say that the same call stood there
// already. See [Deferred.Existed].
func OpenExisting(l Ledger, id ID) *Deferred { return &Deferred{id: id, ledger: l, existed: true} }

// ID is the name of the deferred.
func (d *Deferred) ID() ID { return d.id }

// Existed reports whether the submit that gave this handle found the same call,
// under the same id, already queued. Nothing was added then.
func (d *Deferred) Existed() bool { return d.existed }

// Await waits until the deferred has settled. The error says that the waiting
// failed; how the call ended is in the outcome.
func (d *Deferred) Await(ctx context.Context) (Outcome, error) {
	r, err := d.ledger.Await(ctx, d.id)
	if err != nil {
		return Outcome{}, err
	}
	return r.Outcome(), nil
}

// Record is what is known of the deferred now.
func (d *Deferred) Record(ctx context.Context) (Record, error) { return d.ledger.Record(ctx, d.id) }

// Cancel settles the deferred as cancelled. Nil means that it is cancelled, and
// that no attempt starts any more; one that runs is told by its context, also one
// whose worker had claimed it within the last hundredths of a second. A
// [*SettledError] says how it had ended before.
func (d *Deferred) Cancel(ctx context.Context, reason string) error {
	return d.ledger.Do(ctx, Command{Verb: Cancel, ID: d.id, Reason: reason})
}

// Annotate sets a named value, encoded as JSON.
func (d *Deferred) Annotate(ctx context.Context, key string, value any) error {
	data, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("%w: %w", &InputError{Field: FieldNote, Value: key, Rule: "must have a value that encodes as JSON"}, err)
	}
	return d.ledger.Annotate(ctx, d.id, Note{Key: key, Value: data})
}

// Annotations gives the present annotations. An error that comes with a key is in the
// place of that one, which cannot be read; any other ends them.
func (d *Deferred) Annotations(ctx context.Context) iter.Seq2[Note, error] {
	return d.ledger.Annotations(ctx, d.id)
}

// Watch follows the record and the annotations until the deferred has settled.
func (d *Deferred) Watch(ctx context.Context) iter.Seq2[Change, error] {
	return d.ledger.Watch(ctx, d.id)
}

// ErrNoAttempt answers an annotation outside a handler.
var ErrNoAttempt = errors.New("deferred: the context is not that of a handler")

// Annotate sets a named value on the deferred that the handler with this
// context performs.
func Annotate(ctx context.Context, key string, value any) error {
	a := AttemptFrom(ctx)
	if a == nil || a.Ledger == nil {
		return ErrNoAttempt
	}
	return Open(a.Ledger, a.ID).Annotate(ctx, key, value)
}

// ProgressKey is the annotation under which progress is reported by convention.
const ProgressKey = "progress"

// Progress is how far a call has come. Total is 0 when it is not known.
type Progress struct {
	Done    float64 `json:"done"`
	Total   float64 `json:"total,omitempty"`
	Message string  `json:"message,omitempty"`
}

// Report sets the progress annotation of the deferred that the handler with
// this context performs.
func Report(ctx context.Context, p Progress) error { return Annotate(ctx, ProgressKey, p) }
