package dispatch

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/internal/records"
	"zasync/pkg/dispatch/internal/wire"
)

// A Filter selects deferreds. Empty fields select all.
type Filter struct {
	States []deferred.State
	Name   string
	Queue  string
	Labels map[string]string // an empty value selects any

	Submitted Interval
	Settled   Interval // an open deferred is in no interval with a bound
}

// An Interval is the time from Since on, and before Until. A zero time is no bound.
type Interval struct{ Since, Until time.Time }

func (i Interval) has(t time.Time) bool {
	if i.Since.IsZero() && i.Until.IsZero() {
		return true
	}
	return !t.IsZero() && !t.Before(i.Since) && (i.Until.IsZero() || t.Before(i.Until))
}

func (f *Filter) takes(r *deferred.Record) bool {
	if len(f.States) > 0 && !slices.Contains(f.States, r.State) ||
		f.Name != "" && f.Name != r.Name || f.Queue != "" && f.Queue != r.Queue ||
		!f.Submitted.has(r.Submitted) || !f.Settled.has(r.Settled) {
		return false
	}
	for k, want := range f.Labels {
		if have, ok := r.Labels[k]; !ok || want != "" && want != have {
			return false
		}
	}
	return true
}

// List gives the deferreds that a filter selects. Those with a record come first, oldest
// change first. Then come those that no worker has met yet, oldest first on each route.
// There is no index: List reads every record and every message. An [ErrUnreadable] error
// stands in the place of one record, and the others follow. Any other error ends the list.
func (q *Queue) List(ctx context.Context, f Filter) iter.Seq2[deferred.Record, error] {
	return func(yield func(deferred.Record, error) bool) {
		if err := q.life.check(); err != nil {
			yield(deferred.Record{}, err)
			return
		}
		l := &listing{queue: q, filter: &f, yield: yield, met: map[deferred.ID]bool{}, stubs: map[deferred.ID]*deferred.Record{}}
		_ = l.records(ctx) && l.messages(ctx) && l.rest(ctx)
	}
}

// listing is one walk over all records and messages. A step returns false when the list
// has ended.
type listing struct {
	queue  *Queue
	filter *Filter
	yield  func(deferred.Record, error) bool
	met    map[deferred.ID]bool
	stubs  map[deferred.ID]*deferred.Record // records that have not met their call: its message says more
	order  []deferred.ID                    // of the stubs, and of messages with a foreign number
}

func (l *listing) show(r deferred.Record) bool { return !l.filter.takes(&r) || l.yield(r, nil) }

func (l *listing) records(ctx context.Context) bool {
	for e, err := range l.queue.records.Store.List(ctx, driver.Query{Space: driver.Records}) {
		if err != nil {
			l.yield(deferred.Record{}, fmt.Errorf("dispatch: list: %w", err))
			return false
		}
		r, err := records.DecodeOwn(e)
		switch {
		case err != nil:
			if !l.yield(deferred.Record{}, err) {
				return false
			}
		case !r.Seen && !r.State.Settled():
			l.stubs[r.ID], l.order = r, append(l.order, r.ID)
		default:
			l.met[r.ID] = true
			if !l.show(*r) {
				return false
			}
		}
	}
	return true
}

func (l *listing) messages(ctx context.Context) bool {
	for _, route := range []driver.Route{driver.Ready, driver.Later, driver.Delay, driver.Due, driver.Commands} {
		page := driver.Page{Route: route, Queue: l.filter.Queue, Name: l.filter.Name}
		if route == driver.Commands { // only some of these bring a call, and a header names its queue
			page.Queue, page.Name = "", ""
		}
		for d, err := range l.queue.records.Broker.Pending(ctx, page) {
			if err != nil {
				l.yield(deferred.Record{}, fmt.Errorf("dispatch: list: %w", err))
				return false
			}
			if !wire.BringsCall(&d.Message) {
				continue
			}
			r, ok := l.queue.records.Preview(&d)
			if !ok || l.met[r.ID] {
				continue
			}
			if wire.Foreign(&d) { // either a record has met it by now, or it has no right to its number
				l.order = append(l.order, r.ID)
				continue
			}
			l.met[r.ID] = true
			if !l.show(records.OverStub(l.stubs[r.ID], r)) {
				return false
			}
		}
	}
	return true
}

// rest shows the stubs of which no message was found. Either a deferred waits for a call
// that no client has submitted, or a worker has met the call meanwhile.
func (l *listing) rest(ctx context.Context) bool {
	for _, id := range l.order {
		if l.met[id] {
			continue
		}
		r, err := l.queue.Record(ctx, id)
		l.met[id] = true
		switch {
		case errors.Is(err, deferred.ErrNotFound):
		case errors.Is(err, records.ErrUnreadable):
			if !l.yield(deferred.Record{}, err) {
				return false
			}
		case err != nil:
			l.yield(deferred.Record{}, fmt.Errorf("dispatch: list: %w", err))
			return false
		case !l.show(r):
			return false
		}
	}
	return true
}
