package memory

import (
	"context"
	"fmt"
	"iter"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
)

// pageSize is how many messages are copied under one lock.
const pageSize = 256

// Find implements [dispatch.Broker].
func (b *Broker) Find(ctx context.Context, id deferred.ID) ([]driver.Delivery, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("dispatch/memory: find: %w", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	var found []driver.Delivery
	for _, m := range b.ids[id] {
		if m.Route != driver.Aside && (m.Route != driver.Commands || m.Verb == driver.VerbJoin) {
			found = append(found, m.seen())
		}
	}
	return found, nil
}

// Pending implements [dispatch.Broker].
func (b *Broker) Pending(ctx context.Context, p driver.Page) iter.Seq2[driver.Delivery, error] {
	return func(yield func(driver.Delivery, error) bool) {
		rest := p
		for {
			if err := ctx.Err(); err != nil {
				yield(driver.Delivery{}, fmt.Errorf("dispatch/memory: pending: %w", err))
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
func (b *Broker) page(p driver.Page) []driver.Delivery {
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
	var page []driver.Delivery
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
