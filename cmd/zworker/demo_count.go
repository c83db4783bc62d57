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

// count submits a call for each file, waits for them all, and has their results
// summed up by another call.
func (s *story) count(ctx context.Context, found *files) (totals, error) {
	calls := make([]deferred.Call, len(found.names))
	for i, name := range found.names {
		calls[i] = scan.Call(name)
	}
	ds, err := s.queue.Submit(ctx, calls...)
	if err != nil {
		return totals{}, err
	}
	s.tell(string(scan), deferred.Pending, "%s, one a file", plural(len(ds), "call"))
	s.told.Go(func() { s.progress(ctx, found, ds[found.largest]) })
	all, err := s.gather(ctx, ds)
	if err != nil {
		return totals{}, err
	}
	s.tell(string(scan), deferred.Succeeded, "%s", plural(len(all), "call"))
	d, err := sum.Submit(ctx, s.queue, all)
	if err != nil {
		return totals{}, err
	}
	t, err := sum.Await(ctx, d)
	if err == nil {
		s.tell(string(sum), deferred.Succeeded, "%s, %s", plural(int(t.Lines), "line"), plural(int(t.Words), "word"))
	}
	return t, err
}

// gather waits for every call and gives the results of those that succeeded: a
// file may have gone, or not be ours to read.
func (s *story) gather(ctx context.Context, ds []*deferred.Deferred) ([]counts, error) {
	bar := s.bars.Add("all files")
	var mu sync.Mutex
	var all []counts
	var errs []error
	ended := 0
	one := func(d *deferred.Deferred) {
		c, err := scan.Await(ctx, d)
		mu.Lock()
		defer mu.Unlock()
		var failure *deferred.Failure
		switch {
		case err == nil:
			all = append(all, c)
		case errors.As(err, &failure):
			s.tell(string(scan), deferred.Failed, "%s", failure)
		default:
			errs = append(errs, err)
		}
		ended++
		s.showCount(bar, ended, len(ds))
	}
	var waiting sync.WaitGroup
	for _, d := range ds {
		waiting.Go(func() { one(d) })
	}
	waiting.Wait()
	bar.Remove()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx) // once, and not for each file
	}
	return all, errors.Join(errs...)
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
