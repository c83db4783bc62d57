package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"zasync/cmd/internal/connect"
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
		if lane, ok := unserved(ctx, q, id); ok {
			if lane.Name == "" {
				say(fmt.Sprintf("%s is waited for, but no call with this id is known; still waiting", id))
				return
			}
			say(fmt.Sprintf("no worker serves %s in queue %s; still waiting", lane.Name, lane.Queue))
		}
	})
	return func() {
		cancel()
		asking.Wait()
	}
}

// unserved reports the lane of a call that waits where there is no worker. It
// does so only if it is sure: an error is none of its business.
func unserved(ctx context.Context, q *connect.Session, id deferred.ID) (deferred.Lane, bool) {
	workers, err := q.Workers(ctx)
	if err != nil {
		return deferred.Lane{}, false
	}
	r, err := q.Record(ctx, id)
	if err != nil || r.State != deferred.Pending {
		return deferred.Lane{}, false
	}
	lane := deferred.Lane{Queue: r.Queue, Name: r.Name}
	return lane, !slices.ContainsFunc(workers, func(h dispatch.Heartbeat) bool { return slices.Contains(h.Lanes, lane) })
}
