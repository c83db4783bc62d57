package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"zasync/cmd/internal/democalls"
	"zasync/cmd/internal/terminal"
	"zasync/pkg/deferred"
	"zasync/pkg/dispatch"
)

// A story tells what happens to calls, a line for each event.
type story struct {
	queue *dispatch.Queue
	bars  *terminal.Bars
	start time.Time
	end   func() // of the bars

	told sync.WaitGroup // by whoever follows a call
	mu   sync.Mutex
	err  error // of the first who could not
}

func newStory(w io.Writer, q *dispatch.Queue) *story {
	s := &story{queue: q, bars: terminal.NewBars(w), start: time.Now()}
	s.end = sync.OnceFunc(s.bars.Close)
	return s
}

func (s *story) tell(name string, state deferred.State, format string, args ...any) {
	s.bars.Println(fmt.Sprintf("  %5.2fs  %-13s %-10s %s", time.Since(s.start).Seconds(), name, state,
		terminal.Escape(fmt.Sprintf(format, args...))))
}

// retry tells of a call that fails once, and of its callback.
func (s *story) retry(ctx context.Context) error {
	c := democalls.Fail.Call(democalls.FailArgs{Times: 1})
	c.Callbacks = []deferred.Callback{{On: deferred.OnSuccess, Call: deferred.Call{Name: string(report)}}}
	s.tell(c.Name, deferred.Pending, "a call that will fail once, with a callback")
	return s.submit(ctx, c)
}

// recover tells of a call that fails for good, and of its errback.
func (s *story) recover(ctx context.Context) error {
	c := scan.Call("no-such-file")
	c.Callbacks = []deferred.Callback{{On: deferred.OnFailure, Call: deferred.Call{Name: string(apology)}}}
	s.tell(c.Name, deferred.Pending, "a call for a file that is not there, with an errback")
	return s.submit(ctx, c)
}

func (s *story) submit(ctx context.Context, c deferred.Call) error {
	c.ID = deferred.NewID()
	// They are followed before they are there, so that nothing is missed.
	for _, id := range []deferred.ID{c.ID, deferred.ChildID(c.ID, 0)} {
		s.told.Go(func() { s.follow(ctx, s.queue.Open(id)) })
	}
	_, err := deferred.SubmitOne(ctx, s.queue, c)
	return err
}

// follow tells what happens to a call until it has settled. What happened too
// quickly to be seen is left out.
func (s *story) follow(ctx context.Context, d *deferred.Deferred) {
	for c, err := range d.Watch(ctx) {
		if err != nil {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.err = cmp.Or(s.err, err)
			return
		}
		r := c.Record
		switch {
		case r == nil:
		case r.State == deferred.Running && r.Attempt == 1: // as is to be expected
		default:
			s.tell(r.Name, r.State, "%s", remark(r))
		}
	}
}

// whole waits until all is told.
func (s *story) whole() error {
	s.told.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

func remark(r *deferred.Record) string {
	switch r.State {
	case deferred.Running:
		return fmt.Sprintf("attempt %d", r.Attempt)
	case deferred.Scheduled:
		wait := time.Until(r.NotBefore).Round(time.Second)
		return fmt.Sprintf("%s; will be tried again in %s", r.Failure, max(wait, time.Second))
	case deferred.Failed:
		return fmt.Sprintf("%s; for good, so that it is not tried again", r.Failure)
	case deferred.Succeeded:
		var text string
		_ = r.Result.Decode(&text)
		return text
	}
	return ""
}
