package dispatch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/internal/complaints"
	"zasync/pkg/dispatch/internal/liveness"
	"zasync/pkg/dispatch/internal/records"
)

// noteEvery is how often the annotations of one attempt are written. A handler may
// report its progress a thousand times a second. Of the values within one interval only
// the newest counts, and the handler does not wait for its write.
const noteEvery = 100 * time.Millisecond

// noteLimit is how long the write of the kept values may take. The outcome waits for
// this write, and must not wait for a server that does not answer.
const noteLimit = 2 * time.Second

// attemptLedger is the queue as a handler sees it. It annotates in the name of the
// attempt.
type attemptLedger struct {
	deferred.Ledger // the queue, for everything but annotations of the attempt
	records         *records.Records
	worker          string
	wrong           *complaints.Log
	launch          func(do func(ctx context.Context)) bool
	attempt         *deferred.Attempt

	writing chan struct{} // allows one write at a time: an older value never comes after a newer one
	mu      sync.Mutex
	kept    map[string]deferred.Note // by key; written at the end of the interval
	resting bool                     // the interval is not over
	ended   bool                     // the outcome is on its way: the ledger takes no more values
	fault   error                    // from the write of a kept value; the next annotation returns it
}

// Annotate writes the first value at once, and keeps later ones within the interval. It
// never keeps a checkpoint, which has to be stored when Annotate returns.
func (l *attemptLedger) Annotate(ctx context.Context, id deferred.ID, n deferred.Note) error {
	if id != l.attempt.ID {
		return l.Ledger.Annotate(ctx, id, n)
	}
	if err := errors.Join(l.attempt.Revoked(), n.Check()); err != nil {
		return err
	}
	n.Attempt, n.Worker = l.attempt.Number, l.worker
	kept, err := l.keep(n)
	if kept || err != nil {
		return err
	}
	if err := l.lockWriting(ctx); err != nil {
		return err
	}
	defer l.unlockWriting()
	if l.hasEnded() { // the attempt ended during the wait for another write
		return errEnded
	}
	return l.records.Annotate(ctx, id, n)
}

// errEnded answers a goroutine that a handler has left behind, and that goes on after
// the handler has returned. An annotation must not come after the outcome.
var errEnded = fmt.Errorf("dispatch: annotate: the attempt has ended: %w", deferred.ErrLost)

// end takes no more values, and writes the kept ones.
func (l *attemptLedger) end(ctx context.Context) {
	l.mu.Lock()
	l.ended = true
	l.mu.Unlock()
	l.flush(ctx)
}

// endLedger ends the ledger of a claimed call.
func (h *holding) endLedger(ctx context.Context) {
	h.feed.mu.Lock()
	a := h.attempt
	h.feed.mu.Unlock()
	if a == nil {
		return
	}
	if l, ok := a.Ledger.(*attemptLedger); ok {
		l.end(ctx)
	}
}

func (l *attemptLedger) hasEnded() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ended
}

// lockWriting waits until no other write is on its way.
func (l *attemptLedger) lockWriting(ctx context.Context) error {
	select {
	case l.writing <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("dispatch: annotate %s: %w", l.attempt.ID, context.Cause(ctx))
	}
}

func (l *attemptLedger) unlockWriting() { <-l.writing }

// keep keeps a value for later if the interval since the last write is not over.
func (l *attemptLedger) keep(n deferred.Note) (kept bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return false, errEnded
	}
	err, l.fault = l.fault, nil
	if l.kept == nil {
		l.kept = map[string]deferred.Note{}
	}
	if err != nil || n.Key == deferred.CheckpointKey {
		return false, err
	}
	if l.resting {
		n.Value = append(json.RawMessage(nil), n.Value...) // the handler may reuse its buffer
		l.kept[n.Key] = n
		return true, nil
	}
	l.resting = true
	l.launch(l.rest) // a worker that leaves writes the kept values when it ends the ledger
	return false, nil
}

// annotated reports whether the handler has annotated: a value may be kept, or on its
// way.
func (l *attemptLedger) annotated() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.kept != nil
}

// rest writes the kept values at the end of each interval. It ends with the first
// interval that has none.
func (l *attemptLedger) rest(ctx context.Context) {
	for liveness.Pause(ctx, noteEvery) == nil {
		if !l.flush(ctx) {
			return
		}
	}
}

// flush writes the kept values. If there are none, the next value is again the first of
// an interval.
func (l *attemptLedger) flush(ctx context.Context) (wrote bool) {
	if !l.annotated() { // most calls do not annotate, and their outcome waits for flush
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, noteLimit)
	defer cancel()
	if l.lockWriting(ctx) != nil {
		return true // some values are still to be written
	}
	defer l.unlockWriting()
	l.mu.Lock()
	kept := l.kept
	l.kept, l.resting = map[string]deferred.Note{}, len(kept) > 0
	l.mu.Unlock()
	for _, n := range kept {
		if err := l.records.Annotate(ctx, l.attempt.ID, n); err != nil {
			l.wrong.Say(string(l.attempt.ID), complaints.Complaint{
				Level: slog.LevelWarn, Says: "annotation not stored", Err: err, Of: []any{"id", l.attempt.ID, "key", n.Key},
			})
			l.mu.Lock()
			l.fault = err
			l.mu.Unlock()
		}
	}
	return len(kept) > 0
}

// checkpoint gives the value that an earlier attempt has saved for the next one.
func (f *feed) checkpoint(ctx context.Context, h *holding) (json.RawMessage, error) {
	if h.Record.Attempt < 2 {
		return nil, nil
	}
	entries, err := f.records.Store.ReadLatest(ctx, []driver.Key{records.NoteKey(h.Record.ID, deferred.CheckpointKey)})
	if err != nil || entries[0].Revision == 0 || records.OfEarlierDeferred(entries[0], h.Record) {
		return nil, err
	}
	n, err := records.DecodeNote(entries[0], 0)
	if err != nil { // another client may write anything; without it the attempt begins from the start
		f.log.Warn("checkpoint passed over", "id", h.Record.ID, "err", err)
	}
	return n.Value, nil
}
