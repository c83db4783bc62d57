package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"zasync/cmd/internal/terminal"
	"zasync/pkg/deferred"
)

// count submits a call for each file, a join over them all, and on the join a
// callback that sums their results up.
func (s *story) count(ctx context.Context, found *files) (totals, error) {
	calls := make([]deferred.Call, len(found.names))
	for i, name := range found.names {
		calls[i] = scan.Call(name)
	}
	ds, err := s.queue.Submit(ctx, calls...)
	if err != nil {
		return totals{}, err
	}
	join := deferred.NewJoin(deferred.JoinAllSettled, ds...)
	join.Callbacks = []deferred.Callback{{On: deferred.OnSuccess, Call: deferred.Call{Name: string(sum)}}}
	all, err := deferred.SubmitOne(ctx, s.queue, join)
	if err != nil {
		return totals{}, err
	}
	s.tell(string(scan), deferred.Pending, "%s, one a file; a join over them, with a callback", plural(len(ds), "call"))
	s.told.Go(func() { s.progress(ctx, found, ds[found.largest]) })
	if err := s.gather(ctx, ds); err != nil {
		return totals{}, err
	}
	t, err := sum.Await(ctx, s.queue.Open(deferred.ChildID(all.ID(), 0)))
	if err == nil {
		s.tell(string(sum), deferred.Succeeded, "the callback of the join: %s, %s", plural(int(t.Lines), "line"), plural(int(t.Words), "word"))
	}
	return t, err
}

// gather tells how the calls come on until all have ended. Some may fail: a file
// has gone, or is not ours to read.
func (s *story) gather(ctx context.Context, ds []*deferred.Deferred) error {
	bar := s.bars.Add("all files")
	defer bar.Remove()
	var mu sync.Mutex
	var errs []error
	ended := 0
	one := func(d *deferred.Deferred) {
		o, err := d.Await(ctx)
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			errs = append(errs, err)
			return
		}
		if o.Failure != nil {
			s.tell(string(scan), o.State, "%s", o.Failure)
		}
		ended++
		s.showCount(bar, ended, len(ds))
	}
	var waiting sync.WaitGroup
	for _, d := range ds {
		waiting.Go(func() { one(d) })
	}
	waiting.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx) // once, and not for each file
	}
	return errors.Join(errs...)
}

// showCount shows how many files are done: by the bar, or where there is none by
// a line for each quarter but the last, of which the end is told.
func (s *story) showCount(bar *terminal.Bar, ended, all int) {
	bar.Set(float64(ended), float64(all), fmt.Sprintf("%d of %d", ended, all))
	if !s.bars.Live() && ended < all && 4*ended/all > 4*(ended-1)/all {
		s.tell(string(scan), deferred.Running, "%d of %d files", ended, all)
	}
}

// progress shows how far the largest file has come: by a bar, or where there is
// none at each quarter.
func (s *story) progress(ctx context.Context, found *files, d *deferred.Deferred) {
	name := found.names[found.largest]
	bar := s.bars.Add(name)
	defer bar.Remove()
	quarter := 0
	for c, err := range d.Watch(ctx) {
		if err != nil {
			return // whoever waits for the call is told
		}
		p, ok := progressOf(c)
		if !ok {
			continue
		}
		bar.Set(p.Done, p.Total, size(int64(p.Done)))
		if q := min(int(4*p.Done/p.Total), 4); q > quarter && !s.bars.Live() {
			quarter = q
			s.tell(string(scan), deferred.Running, "%s %d%%", name, 25*q)
		}
	}
}

func progressOf(c deferred.Change) (deferred.Progress, bool) {
	var p deferred.Progress
	if c.Note == nil || c.Note.Key != deferred.ProgressKey || json.Unmarshal(c.Note.Value, &p) != nil {
		return p, false
	}
	return p, p.Total > 0
}
