package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"zasync/cmd/internal/connect"
	"zasync/cmd/internal/terminal"
	"zasync/pkg/deferred"
	"zasync/pkg/dispatch"
)

// unclaimed is how long a call may wait before we ask who is there to take it.
const unclaimed = 2 * time.Second

// warnSoon says, once, if nobody serves a call that has waited for a while: its
// name may be mistyped, or its worker not yet started. The function that it
// returns ends that, and when it has returned nothing is said any more.
func warnSoon(ctx context.Context, q *connect.Session, id deferred.ID, say func(string)) (stop func()) {
	ctx, cancel := context.WithTimeout(ctx, unclaimed+patience)
	var asking sync.WaitGroup
	asking.Go(func() {
		select {
		case <-time.After(unclaimed):
		case <-ctx.Done():
			return
		}
		if text := unserved(ctx, q, id); text != "" {
			say(text)
		}
	})
	return func() {
		cancel()
		asking.Wait()
	}
}

// A register knows the calls and who performs them.
type register interface {
	recorder
	Workers(ctx context.Context) ([]dispatch.Heartbeat, error)
}

// unserved says that a call waits where there is no worker, or that nobody has submitted
// it. It does so only if it is sure: an error is none of its business.
func unserved(ctx context.Context, q register, id deferred.ID) string {
	workers, err := q.Workers(ctx)
	if err != nil {
		return ""
	}
	r, err := q.Record(ctx, id)
	if err != nil || r.State != deferred.Pending {
		return ""
	}
	if r.Name == "" {
		return fmt.Sprintf("%s is waited for, but no call with this id is known; still waiting", id)
	}
	lane := deferred.Lane{Queue: cmp.Or(r.Queue, deferred.DefaultQueue), Name: r.Name}
	if slices.ContainsFunc(workers, func(h dispatch.Heartbeat) bool { return slices.Contains(h.Lanes, lane) }) {
		return ""
	}
	return terminal.Escape(fmt.Sprintf("no worker serves %s in queue %s; still waiting", lane.Name, lane.Queue))
}
