package integration

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"

	"zasync/integration/internal/proc"
	"zasync/pkg/deferred"
	"zasync/pkg/dispatch"
	"zasync/pkg/dispatch/jetstream"
)

const (
	deadline      = 3 * time.Minute // of a test; only one that fails comes near
	glance        = 10 * time.Millisecond
	reconnectWait = 50 * time.Millisecond
)

// fleet is a server and workers, each in a process of its own, with this
// process's view of them. The address and the store outlive the server.
type fleet struct {
	t      *testing.T
	ctx    context.Context //nolint:containedctx // bounds every wait of one test
	addr   string
	store  string
	server *proc.Process

	nc       *nats.Conn
	queue    *dispatch.Queue
	recorder *recorder
}

// newFleet begins with a server and nothing else.
func newFleet(t *testing.T) *fleet {
	t.Helper()
	f := &fleet{t: t, addr: freeAddr(t), store: t.TempDir()}
	f.begin(func() proc.Command { return role("server", f.addr, f.store) })
	return f
}

// newDevFleet begins with zworker dev, which is a server and a worker.
func newDevFleet(t *testing.T) *fleet {
	t.Helper()
	f := &fleet{t: t, addr: freeAddr(t), store: t.TempDir()}
	f.begin(func() proc.Command { return program(t, "zworker", "dev", "--listen", f.addr, "--store", f.store) })
	return f
}

func (f *fleet) begin(server func() proc.Command) {
	f.t.Helper()
	f.t.Parallel() // they wait much and work little
	ctx, cancel := context.WithTimeout(f.t.Context(), deadline)
	f.t.Cleanup(cancel)
	f.ctx = ctx
	f.serve(server())
	f.connect()
}

// serve starts a server, and returns when it can be reached.
func (f *fleet) serve(c proc.Command) {
	f.t.Helper()
	f.server = proc.Start(f.t, c)
	f.until("the server is reached", func() bool {
		conn, err := new(net.Dialer).DialContext(f.ctx, "tcp", f.addr)
		return err == nil && conn.Close() == nil
	})
}

// restart is kill -9 of the server, and another one in its place.
func (f *fleet) restart() {
	f.t.Helper()
	f.server.Kill()
	f.serve(role("server", f.addr, f.store))
}

func (f *fleet) url() string { return "nats://" + f.addr }

func (f *fleet) connect() {
	f.t.Helper()
	var err error
	if f.nc, err = nats.Connect(f.url(), nats.MaxReconnects(-1), nats.ReconnectWait(reconnectWait)); err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(f.nc.Close)
	if f.queue, err = jetstream.Open(f.ctx, f.nc, jetstream.Config{}); err != nil {
		f.t.Fatal(err)
	}
	f.recorder = newRecorder(f.t, f.nc)
}

// until waits for a condition.
func (f *fleet) until(what string, ok func() bool) {
	f.t.Helper()
	tick := time.NewTicker(glance)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-f.ctx.Done():
			f.t.Fatalf("it never came to this: %s", what)
		}
	}
}

// zworker starts a worker of this fleet.
func (f *fleet) zworker(args ...string) *proc.Process {
	f.t.Helper()
	return proc.Start(f.t, program(f.t, "zworker", append([]string{"run", "--server", f.url()}, args...)...))
}

// zsubmit runs zsubmit to its end.
func (f *fleet) zsubmit(args ...string) (p *proc.Process, code int) {
	f.t.Helper()
	p = proc.Start(f.t, program(f.t, "zsubmit", append(args, "--server", f.url())...))
	return p, p.Wait(f.ctx).Code
}

// joined waits for the heartbeat of a process.
func (f *fleet) joined(p *proc.Process) (joined dispatch.Heartbeat) {
	f.t.Helper()
	f.until("the worker has a heartbeat", func() bool {
		beats, _ := f.queue.Workers(f.ctx)
		for _, b := range beats {
			if b.PID == p.PID() {
				joined = b
				return true
			}
		}
		return false
	})
	return joined
}

// seasoned waits until a worker has been there for long enough to judge others.
func (f *fleet) seasoned(p *proc.Process) (b dispatch.Heartbeat) {
	f.t.Helper()
	f.until("the worker has been there for a while", func() bool {
		b = f.joined(p)
		return b.Time.Sub(b.Joined) > dispatch.HeartbeatTTL
	})
	return b
}

// naps are n calls that take some time.
func naps(n int, long string) []deferred.Call {
	args := deferred.JSON(fmt.Appendf(nil, `{"for":%q}`, long))
	return slices.Repeat([]deferred.Call{{Name: "demo/sleep", Args: args}}, n)
}

// sum is a call that takes no time.
func sum() deferred.Call {
	return deferred.Call{Name: "demo/add", Args: deferred.JSON([]byte("[1,2,3]"))}
}

func (f *fleet) submit(calls ...deferred.Call) []deferred.ID {
	f.t.Helper()
	ds, err := f.queue.Submit(f.ctx, calls...)
	if err != nil {
		f.t.Fatal(err)
	}
	ids := make([]deferred.ID, len(ds))
	for i, d := range ds {
		ids[i] = d.ID()
	}
	return ids
}

// in counts those that are in a state.
func (f *fleet) in(s deferred.State, ids []deferred.ID) (n int) {
	for _, id := range ids {
		if r, err := f.queue.Record(f.ctx, id); err == nil && r.State == s {
			n++
		}
	}
	return n
}

// settled waits for the end of a call.
func (f *fleet) settled(id deferred.ID) deferred.Record {
	f.t.Helper()
	r, err := f.queue.Await(f.ctx, id)
	if err != nil {
		f.t.Fatal(err)
	}
	return r
}

// ends waits for the end of a call, and checks how it ended and what it took.
func (f *fleet) ends(id deferred.ID, s deferred.State, attempt int, counts deferred.Counts) deferred.Record {
	f.t.Helper()
	r := f.settled(id)
	if r.State != s || r.Attempt != attempt || r.Counts != counts {
		f.t.Errorf("%s %s ended as %s at attempt %d with %+v (%v), not as %s at %d with %+v",
			r.Name, id, r.State, r.Attempt, r.Counts, r.Failure, s, attempt, counts)
	}
	return r
}

// conclude waits until no message is left on any route, and checks that no
// outcome was ever changed and nothing was set aside.
func (f *fleet) conclude() {
	f.t.Helper()
	f.until("no message is left", func() bool { return f.messages("ZASYNC_QUEUE")+f.messages("ZASYNC_DELAY") == 0 })
	if n := f.messages("ZASYNC_ASIDE"); n != 0 {
		f.t.Errorf("%d messages are set aside", n)
	}
	f.recorder.check(f.ctx, f.queue)
}

// messages counts those of a stream; while nobody can tell there is one.
func (f *fleet) messages(stream string) uint64 {
	js, err := natsjs.New(f.nc)
	if err != nil {
		return 1
	}
	s, err := js.Stream(f.ctx, stream)
	if err != nil {
		return 1
	}
	return s.CachedInfo().State.Msgs
}

// freeAddr is an address below the ports that the kernel gives to connections,
// so that nobody takes it while its server is away.
func freeAddr(t *testing.T) string {
	t.Helper()
	for {
		addr := fmt.Sprintf("127.0.0.1:%d", 20_000+rand.N(12_000))
		l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", addr)
		if errors.Is(err, syscall.EADDRINUSE) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		return addr
	}
}
