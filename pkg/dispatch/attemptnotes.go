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

// noteEvery is how often the annotations of one attempt are written. A handler
// may report its progress a thousand times a second: of what comes in between
// only the newest value counts, and the handler does not wait for it.
const noteEvery = 100 * time.Millisecond

// noteLimit is how long what was kept may take to be written. An outcome waits for
// it, and must not wait for annotations that nobody answers.
const noteLimit = 2 * time.Second

// attemptLedger is what a handler has of the queue: it annotates as its attempt.
type attemptLedger struct {
	deferred.Ledger // the queue, for everything but annotations of the attempt
	records         *records.Records
	worker          string
	wrong           *complaints.Log
	launch          func(do func(ctx context.Context)) bool
	attempt         *deferred.Attempt

	writing chan struct{} // one write after the other, so that an older value never comes later
	mu      sync.Mutex
	kept    map[string]deferred.Note // to be written at the end of the interval, by key
	resting bool                     // within the interval
	ended   bool                     // the outcome is on its way: nothing more is taken
	fault   error                    // of what was kept; told to the next annotation
}

// Annotate writes the first value at once. What follows within the interval is
// kept, but for a checkpoint, which has to be stored when this returns.
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
	if l.hasEnded() { // while it waited for another write
		return errEnded
	}
	return l.records.Annotate(ctx, id, n)
}

// errEnded answers what a handler has left behind, which goes on when it has
// returned: an annotation must not come after the outcome.
var errEnded = fmt.Errorf("dispatch: annotate: the attempt has ended: %w", deferred.ErrLost)

// end writes what is kept, and takes nothing more.
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
		n.Value = append(json.RawMessage(nil), n.Value...) // the handler may use its buffer again
		l.kept[n.Key] = n
		return true, nil
	}
	l.resting = true
	l.launch(l.rest) // a worker that leaves writes what is kept when it ends the ledger
	return false, nil
}

// annotated: something is kept, or on its way.
func (l *attemptLedger) annotated() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.kept != nil
}

// rest writes what was kept at the end of each interval in which something was.
func (l *attemptLedger) rest(ctx context.Context) {
	for liveness.Pause(ctx, noteEvery) == nil {
		if !l.flush(ctx) {
			return
		}
	}
}

// flush writes what is kept. With nothing kept the next value is the first again.
func (l *attemptLedger) flush(ctx context.Context) (wrote bool) {
	if !l.annotated() { // as most calls, whose outcome waits for this
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, noteLimit)
	defer cancel()
	if l.lockWriting(ctx) != nil {
		return true // there is something to write still
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

// checkpoint is what an earlier attempt has saved for the next one.
func (f *feed) checkpoint(ctx context.Context, h *holding) (json.RawMessage, error) {
	if h.Record.Attempt < 2 {
		return nil, nil
	}
	entries, err := f.records.Store.ReadLatest(ctx, []driver.Key{records.NoteKey(h.Record.ID, deferred.CheckpointKey)})
	if err != nil || entries[0].Revision == 0 || records.OfEarlierDeferred(entries[0], h.Record) {
		return nil, err
	}
	n, err := records.DecodeNote(entries[0], 0)
	if err != nil { // of somebody who may write anything; without it the attempt begins from the start
		f.log.Warn("checkpoint passed over", "id", h.Record.ID, "err", err)
	}
	return n.Value, nil
}
