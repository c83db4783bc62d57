package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"

	"zasync/pkg/deferred"
)

// A watcher is what deferreds are followed through.
type watcher interface {
	recorder
	Watch(ctx context.Context, id deferred.ID) iter.Seq2[deferred.Change, error]
}

// A view shows what is followed.
type view interface {
	found(n *node)
	changed(n *node, c deferred.Change)
	full() // there is more than is followed
}

// reach says what is followed beside the deferred itself.
type reach struct {
	below bool // what hangs on it, and on that in turn
	above bool // what it waits for, and that in turn
}

// maxFollowed is how many deferreds are followed at once: each costs two
// subscriptions, and nobody reads the lines of more.
const maxFollowed = 1000

// A node is one of the deferreds that are followed.
type node struct {
	id       deferred.ID
	record   deferred.Record // the latest; zero until something is known
	relation string          // how it came in: empty for the first
	below    bool            // it is the first, or hangs on it: followed to its end
}

// following is what is known while a deferred is followed.
type following struct {
	source  watcher
	reach   reach
	view    view
	nodes   map[deferred.ID]*node
	order   []*node
	news    chan news
	full    bool
	running sync.WaitGroup
}

type news struct {
	node *node
	deferred.Change
	err error
}

// follow shows the changes of a deferred, and of those within reach, until it
// and all that hangs on it have settled. The record is the first one's.
func follow(ctx context.Context, source watcher, id deferred.ID, r reach, v view) (deferred.Record, error) {
	ctx, cancel := context.WithCancel(ctx)
	f := &following{source: source, reach: r, view: v, nodes: map[deferred.ID]*node{}, news: make(chan news)}
	defer f.running.Wait()
	defer cancel()
	f.add(ctx, &node{id: id, below: true})
	for f.open() || f.late(ctx) {
		select {
		case n := <-f.news:
			if n.err != nil {
				return deferred.Record{}, n.err
			}
			f.take(ctx, n)
		case <-ctx.Done():
			return deferred.Record{}, context.Cause(ctx)
		}
	}
	return f.nodes[id].record, nil
}

func (f *following) take(ctx context.Context, n news) {
	if n.Record != nil {
		n.node.record = *n.Record
	}
	f.view.changed(n.node, n.Change)
	if n.Record != nil {
		f.explore(ctx, n.node)
	}
}

// open reports whether something is followed that has not ended.
func (f *following) open() bool {
	for _, n := range f.order {
		if n.below && !n.record.State.Settled() {
			return true
		}
	}
	return false
}

// late looks for what was hung on deferreds after they had settled: their
// watching was over by then.
func (f *following) late(ctx context.Context) bool {
	if !f.reach.below || len(f.order) == 1 && len(f.order[0].record.Callbacks) == 0 {
		return false
	}
	for _, n := range f.order[:len(f.order):len(f.order)] {
		if r, err := f.source.Record(ctx, n.id); err == nil && n.below {
			n.record = r
			f.explore(ctx, n)
		}
	}
	return f.open()
}

// explore adds what the record of a node speaks of.
func (f *following) explore(ctx context.Context, n *node) {
	r := &n.record
	if f.reach.below && n.below {
		for i := range r.Callbacks {
			cb := &r.Callbacks[i]
			if f.nodes[cb.ID] == nil && (!cb.Settled || !f.gone(ctx, cb.ID)) {
				f.add(ctx, &node{id: cb.ID, relation: relationOf(n.id, cb), below: true})
			}
		}
	}
	if f.reach.above && r.Waits != nil && !r.State.Settled() {
		for _, id := range r.Waits.On {
			if f.nodes[id] == nil {
				f.add(ctx, &node{id: id, relation: fmt.Sprintf("%s waits for it", n.id)})
			}
		}
	}
}

func relationOf(parent deferred.ID, cb *deferred.RecordedCallback) string {
	if cb.Waiter {
		return fmt.Sprintf("waits for %s", parent)
	}
	return fmt.Sprintf("%s hangs on %s, %s", cb.Call.Name, parent, onText(cb.On, cb.Kinds))
}

// gone reports whether a deferred that settled once is not kept any more.
func (f *following) gone(ctx context.Context, id deferred.ID) bool {
	_, err := f.source.Record(ctx, id)
	return errors.Is(err, deferred.ErrNotFound)
}

func (f *following) add(ctx context.Context, n *node) {
	if len(f.order) == maxFollowed {
		if !f.full {
			f.full = true
			f.view.full()
		}
		return
	}
	f.nodes[n.id] = n
	f.order = append(f.order, n)
	f.view.found(n)
	f.running.Go(func() { f.watch(ctx, n) })
}

func (f *following) watch(ctx context.Context, n *node) {
	tell := func(what news) bool {
		select {
		case f.news <- what:
			return what.err == nil
		case <-ctx.Done():
			return false
		}
	}
	settled := false
	for c, err := range f.source.Watch(ctx, n.id) {
		settled = c.Record != nil && c.Record.State.Settled()
		if !tell(news{node: n, Change: c, err: err}) {
			return
		}
	}
	if !settled {
		tell(news{node: n, err: fmt.Errorf("watch %s: it ended too soon", n.id)})
	}
}
