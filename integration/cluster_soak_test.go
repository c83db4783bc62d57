package integration

import (
	"flag"
	"math/rand/v2"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	natsjs "github.com/nats-io/nats.go/jetstream"

	"zasync/integration/internal/proc"
	"zasync/pkg/deferred"
	"zasync/pkg/dispatch"
)

var (
	clusterSeed = flag.Uint64("cluster.seed", 0, "seed of the soak over three servers; 0 is a random one")
	clusterFor  = flag.Duration("cluster.for", time.Second, "how long the soak over three servers has faults, at least; each kind happens once")
	clusterWide = flag.Int("cluster.waiters", 300, "how many adopters and joins wait while a follower stands still")
)

func TestNothingHangsWhileThreeServersAndTheirWorkersHaveFaults(t *testing.T) {
	seed := *clusterSeed
	for seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("-cluster.seed %d", seed)
	const maxStore = 120 << 20
	c := newCluster(t, *clusterFor+8*time.Minute, maxStore)
	f := &faults{cluster: c, rng: rand.New(rand.NewPCG(seed, 1)), maxStore: maxStore, done: map[string]int{}}
	for place := range 3 {
		f.workers = append(f.workers, f.worker(place))
	}
	families, stop := c.keepFamilies()
	f.during(*clusterFor)
	stop()
	all := <-families
	c.conclude(all)
	t.Logf("%d families of %d deferreds have settled as they should, through %v", len(all), len(all[0].ids()), f.done)
}

func TestWaitersAreWokenWhileFollowersStandStill(t *testing.T) {
	c := newCluster(t, 10*time.Minute, 1<<30)
	for place := range 3 {
		proc.Start(t, role("clustered", c.members[place].url(), "w"+c.members[place].name, "100"))
	}
	var ids []deferred.ID
	for n := 0; n < *clusterWide; n += 100 {
		ids = append(ids, c.submitWaiters(n, 100)...)
		if n%1000 == 0 {
			c.standStill(c.follower("KV_ZASYNC_STATE"), 4*time.Second)
		}
	}
	for open := len(ids); open > 0; open = len(c.open(ids)) {
		c.standStill(c.follower("KV_ZASYNC_STATE"), 4*time.Second)
		c.pause(time.Second)
		if c.ctx.Err() != nil {
			t.Fatalf("%d of %d wait still: %v", open, len(ids), c.open(ids))
		}
	}
	if n := c.waiting(); n != 0 {
		t.Errorf("%d records wait still", n)
	}
}

// submitWaiters submits calls, as many that adopt them, and a join over each fifth pair.
func (c *cluster) submitWaiters(from, n int) (ids []deferred.ID) {
	c.t.Helper()
	works := make([]deferred.Call, n)
	for i := range works {
		works[i] = clusterWork.Call(1 + (from+i)%200)
	}
	worked := c.submitAll(works)
	adopters := make([]deferred.Call, n)
	for i, id := range worked {
		adopters[i] = clusterAdopt.Call(id)
	}
	adopted := c.submitAll(adopters)
	var joins []deferred.Call
	for i := 0; i < n; i += 5 {
		joins = append(joins, deferred.Call{Name: "join", Join: &deferred.Join{Mode: deferred.JoinAll, Members: []deferred.ID{adopted[i], worked[i]}}})
	}
	return slices.Concat(worked, adopted, c.submitAll(joins))
}

// submitAll submits calls without ids of their own, each until it is stored.
func (c *cluster) submitAll(calls []deferred.Call) (ids []deferred.ID) {
	c.t.Helper()
	for len(calls) > 0 {
		ds, _ := c.queue.Submit(c.ctx, calls...)
		var again []deferred.Call
		for i, d := range ds {
			if d == nil {
				again = append(again, calls[i])
				continue
			}
			ids = append(ids, d.ID())
		}
		if calls = again; c.ctx.Err() != nil {
			c.t.Fatal(c.ctx.Err())
		}
	}
	return ids
}

func (m *member) url() string { return "nats://" + m.addr }

// standStill stops a server for a while, without waiting for it to go on.
func (c *cluster) standStill(m *member, d time.Duration) {
	m.process.Signal(syscall.SIGSTOP)
	c.pause(d)
	m.process.Signal(syscall.SIGCONT)
}

// follower is a server that keeps a stream and does not lead it.
func (c *cluster) follower(stream string) (m *member) {
	c.t.Helper()
	c.until("the stream has a follower", func() bool {
		js, err := natsjs.New(c.nc)
		if err != nil {
			return false
		}
		s, err := js.Stream(c.ctx, stream)
		if err != nil || s.CachedInfo().Cluster == nil {
			return false
		}
		for _, m = range c.members {
			if leader := s.CachedInfo().Cluster.Leader; leader != "" && m.name != leader {
				return true
			}
		}
		return false
	})
	return m
}

// keepFamilies submits families until it is stopped, a few at a time, and resolves their promises.
func (c *cluster) keepFamilies() (families <-chan []*family, stop func()) {
	stopped := make(chan struct{})
	all := make(chan []*family, 1)
	go func() {
		var submitted []*family
		var resolving sync.WaitGroup
		for n := 0; ; n++ {
			select {
			case <-stopped:
				resolving.Wait()
				all <- submitted
				return
			default:
			}
			f := newFamily(n)
			if f.submit(c.ctx, c.queue) != nil {
				continue
			}
			submitted = append(submitted, f)
			resolving.Go(func() { c.resolve(f.token) })
			c.pause(20 * glance)
		}
	}()
	return all, sync.OnceFunc(func() { close(stopped) })
}

// resolve tries until the promise has been resolved.
func (c *cluster) resolve(token deferred.PromiseToken) {
	c.pause(time.Second)
	for c.ctx.Err() == nil && deferred.ResolvePromise(c.ctx, c.queue, token, true) != nil {
		c.pause(20 * glance)
	}
}

// conclude waits for the end of all families, and judges how each has ended.
func (c *cluster) conclude(families []*family) {
	c.t.Helper()
	for _, f := range families {
		for _, id := range f.ids() {
			r, err := c.queue.Await(c.ctx, id)
			if err != nil {
				last, _ := c.queue.Record(c.t.Context(), id)
				c.t.Errorf("%s has not settled: %v; it is %s", id, err, last.State)
				continue
			}
			if wrong := f.wrong(&r); wrong != "" {
				c.t.Error(wrong)
			}
		}
	}
	if n := c.waiting(); n != 0 {
		c.t.Errorf("%d records wait still", n)
	}
}

// open are those that have not settled.
func (c *cluster) open(ids []deferred.ID) (open []deferred.ID) {
	for _, id := range ids {
		if r, err := c.queue.Record(c.ctx, id); err != nil || !r.State.Settled() {
			open = append(open, id)
		}
	}
	return open
}

// waiting counts the records that wait, with or without a message.
func (c *cluster) waiting() (n int) {
	c.t.Helper()
	for _, err := range c.queue.List(c.ctx, dispatch.Filter{States: []deferred.State{deferred.Waiting}}) {
		if err != nil {
			c.t.Error(err)
			return n
		}
		n++
	}
	return n
}
