package integration

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"sync"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"

	"zasync/integration/internal/proc"
)

// faults does to a cluster and its workers what happens to them, one thing after the other.
type faults struct {
	*cluster
	rng      *rand.Rand
	maxStore int64
	workers  []*proc.Process
	done     map[string]int
}

// worker starts a worker in a place of its own.
func (f *faults) worker(place int) *proc.Process {
	f.t.Helper()
	return proc.Start(f.t, role("clustered", f.urls(), fmt.Sprintf("w%d", place), "20"))
}

// during goes through all kinds of faults in a random order, over and over, until
// the time is over. Every kind happens once at least.
func (f *faults) during(d time.Duration) {
	f.t.Helper()
	kinds := []struct {
		name string
		do   func()
	}{
		{"server stands still", f.standStill},
		{"server is killed", f.killServer},
		{"worker is killed", f.killWorker},
		{"worker stands still", f.stopWorker},
		{"stores are full", f.fill},
	}
	for end := time.Now().Add(d); ; {
		f.rng.Shuffle(len(kinds), func(i, j int) { kinds[i], kinds[j] = kinds[j], kinds[i] })
		for _, k := range kinds {
			if f.ctx.Err() != nil || f.done[k.name] > 0 && time.Now().After(end) {
				continue
			}
			f.t.Logf("%s: %s", time.Now().Format(time.TimeOnly), k.name)
			k.do()
			f.done[k.name]++
			f.pause(time.Second)
		}
		if time.Now().After(end) {
			return
		}
	}
}

func (f *faults) anyMember() *member { return f.members[f.rng.IntN(len(f.members))] }

func (f *faults) standStill() {
	m := f.anyMember()
	m.process.Signal(syscall.SIGSTOP)
	f.pause(2*time.Second + time.Duration(f.rng.IntN(3000))*time.Millisecond)
	m.process.Signal(syscall.SIGCONT)
}

func (f *faults) killServer() {
	m := f.anyMember()
	m.process.Kill()
	f.pause(time.Second)
	f.start(m, f.maxStore)
	f.pause(2 * time.Second)
}

func (f *faults) killWorker() {
	place := f.rng.IntN(len(f.workers))
	f.workers[place].Kill()
	f.workers[place] = f.worker(place)
	f.pause(time.Second)
}

// stopWorker stops a worker for longer than its lease and its heartbeat are good.
func (f *faults) stopWorker() {
	w := f.workers[f.rng.IntN(len(f.workers))]
	w.Signal(syscall.SIGSTOP)
	f.pause(6 * time.Second)
	w.Signal(syscall.SIGCONT)
}

// fill submits calls that no worker serves until the servers refuse them, and
// purges them after a while.
func (f *faults) fill() {
	body := fmt.Appendf(nil, "%q", bytes.Repeat([]byte("x"), 200<<10))
	subject := "zasync.q.default." + clusterNever
	refused := false
	for end := time.Now().Add(10 * time.Second); !refused && time.Now().Before(end); {
		refused = f.flood(subject, body)
	}
	if !refused {
		f.t.Errorf("the servers took all that was submitted, beyond their limit of %d bytes", f.maxStore)
	}
	f.pause(3 * time.Second)
	js, err := natsjs.New(f.nc)
	if err != nil {
		f.t.Fatal(err)
	}
	f.until("the calls that no worker serves are purged", func() bool {
		s, err := js.Stream(f.ctx, "ZASYNC_QUEUE")
		return err == nil && s.Purge(f.ctx, natsjs.WithPurgeSubject(subject+".>")) == nil
	})
}

// flood submits a few calls at once, and tells whether one was refused.
func (f *faults) flood(subject string, body []byte) (refused bool) {
	var mu sync.Mutex
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			answer, err := f.nc.RequestMsg(&nats.Msg{Subject: subject, Data: body}, 2*time.Second)
			mu.Lock()
			defer mu.Unlock()
			refused = refused || err == nil && bytes.Contains(answer.Data, []byte(`"error"`))
		})
	}
	all.Wait()
	return refused
}
