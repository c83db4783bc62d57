package memory

import (
	"context"
	"fmt"
	"iter"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch"
)

// pageSize is how many messages are copied under one lock.
const pageSize = 256

// Find implements [dispatch.Broker].
func (b *Broker) Find(ctx context.Context, id deferred.ID) ([]dispatch.Delivery, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("dispatch/memory: find: %w", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	var found []dispatch.Delivery
	for _, m := range b.ids[id] {
		if m.Route != dispatch.Aside && (m.Route != dispatch.Commands || m.Verb == dispatch.VerbJoin) {
			found = append(found, m.seen())
		}
	}
	return found, nil
}

// Pending implements [dispatch.Broker].
func (b *Broker) Pending(ctx context.Context, p dispatch.Page) iter.Seq2[dispatch.Delivery, error] {
	return func(yield func(dispatch.Delivery, error) bool) {
		rest := p
		for {
			if err := ctx.Err(); err != nil {
				yield(dispatch.Delivery{}, fmt.Errorf("dispatch/memory: pending: %w", err))
				return
			}
			page := b.page(rest)
			for _, d := range page {
				if !yield(d, nil) {
					return
				}
				rest.After = d.Seq
			}
			if rest.Limit -= len(page); len(page) == 0 || rest.Limit == 0 {
				return
			}
		}
	}
}

// page copies the first messages of p. A limit below 1 is none: it is what is
// left of one that was 0.
func (b *Broker) page(p dispatch.Page) []dispatch.Delivery {
	size := pageSize
	if p.Limit > 0 {
		size = min(size, p.Limit)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	route := b.routes[p.Route]
	if route == nil {
		return nil
	}
	var page []dispatch.Delivery
	for m := range route.after(p.After) {
		if (p.Queue != "" && m.Queue != p.Queue) || (p.Name != "" && m.Name != p.Name) {
			continue
		}
		if page = append(page, m.seen()); len(page) == size {
			break
		}
	}
	return page
}
