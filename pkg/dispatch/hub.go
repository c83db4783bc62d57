package dispatch

import (
	"context"
	"errors"
	"sync"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/internal/liveness"
	"zasync/pkg/dispatch/internal/records"
)

// hub shares one watch per deferred among all its followers in this process.
type hub struct {
	store driver.Store
	life  *life

	mu     sync.Mutex
	topics map[deferred.ID]*topic
}

// topic is one deferred that has followers.
type topic struct {
	followers map[*follower]struct{}
	read      chan struct{} // asks for a read; capacity 1
	stop      context.CancelFunc
}

// follower gets records until it has seen enough.
type follower struct {
	tell func(r *deferred.Record, revision uint64) bool
	fail func(error) // gets an error that stays; nil: the follower does not need it
}

// reread is how often a followed record is read, in case a change was lost on the way.
// So no follower waits for ever for a message that did not come.
const reread = 10 * time.Second

func newHub(s driver.Store, l *life) *hub {
	return &hub{store: s, life: l, topics: map[deferred.ID]*topic{}}
}

// follow calls tell with the present record, if there is one, and with each change,
// until tell returns false or ctx ends. Neither tell nor fail must block.
func (h *hub) follow(ctx context.Context, id deferred.ID, tell func(r *deferred.Record, revision uint64) bool, fail func(error)) {
	f := &follower{tell: tell, fail: fail}
	h.mu.Lock()
	defer h.mu.Unlock()
	if ctx.Err() != nil {
		return
	}
	t := h.topics[id]
	if t == nil {
		run, stop := context.WithCancel(context.WithoutCancel(ctx))
		t = &topic{followers: map[*follower]struct{}{}, read: make(chan struct{}, 1), stop: stop}
		h.topics[id] = t
		go h.run(run, id, t)
	}
	t.followers[f] = struct{}{}
	t.ask() // an earlier read may be older than the record that the new follower knows
	context.AfterFunc(ctx, func() { h.leave(id, t, f) })
}

func (t *topic) ask() {
	select {
	case t.read <- struct{}{}:
	default:
	}
}

func (h *hub) leave(id deferred.ID, t *topic, f *follower) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(t.followers, f)
	if len(t.followers) == 0 && h.topics[id] == t {
		delete(h.topics, id)
		t.stop()
	}
}

// run watches first and reads then, so that no change falls in between. After an error
// that passes it reads again.
func (h *hub) run(ctx context.Context, id deferred.ID, t *topic) {
	keys := []driver.Key{records.Key(id)}
	changes, err := h.store.Watch(ctx, keys) // without a watch it still reads
	if h.failed(id, t, err) {
		return
	}
	tick := time.NewTicker(reread)
	defer tick.Stop()
	for {
		select {
		case e, ok := <-changes:
			if ok {
				h.tell(id, t, e)
				continue
			}
			changes = nil // the next read tells why
		case <-t.read:
		case <-tick.C:
			if changes == nil {
				if changes, err = h.store.Watch(ctx, keys); h.failed(id, t, err) {
					return
				}
			}
		case <-h.life.over:
			h.failed(id, t, driver.ErrClosed)
			return
		case <-ctx.Done():
			return
		}
		if h.failed(id, t, h.read(ctx, id, t)) {
			return
		}
	}
}

func (h *hub) read(ctx context.Context, id deferred.ID, t *topic) error {
	entries, err := h.store.Read(ctx, []driver.Key{records.Key(id)})
	if err == nil {
		h.tell(id, t, entries[0])
	}
	return err
}

// failed tells the followers of an error that stays, and would keep them waiting for
// ever. It reports whether the topic is over for all of them.
func (h *hub) failed(id deferred.ID, t *topic, err error) bool {
	if !liveness.Hopeless(err) {
		return false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for f := range t.followers {
		if f.fail != nil {
			f.fail(err)
		}
	}
	if !errors.Is(err, driver.ErrClosed) { // a person may mend that
		return false
	}
	if h.topics[id] == t {
		delete(h.topics, id)
	}
	t.stop()
	return true
}

func (h *hub) tell(id deferred.ID, t *topic, e driver.Entry) {
	r, revision, err := records.Decode(e)
	if err != nil || r == nil {
		return
	}
	h.mu.Lock()
	followers := make([]*follower, 0, len(t.followers))
	for f := range t.followers {
		followers = append(followers, f)
	}
	h.mu.Unlock()
	for _, f := range followers {
		if !f.tell(r, revision) {
			h.leave(id, t, f)
		}
	}
}
