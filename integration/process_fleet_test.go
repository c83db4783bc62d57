package integration

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"

	"zasync/integration/internal/proc"
	"zasync/pkg/dispatch"
	"zasync/pkg/dispatch/driver"
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
		return b.Time.Sub(b.Joined) > driver.HeartbeatTTL
	})
	return b
}

// conclude waits until no message is left on any route, and checks that no
// outcome was ever changed and nothing was set aside.
func (f *fleet) conclude() {
	f.t.Helper()
	var left []string
	defer func() {
		if len(left) > 0 {
			f.t.Errorf("messages are left: %q", left)
		}
	}()
	f.until("no message is left", func() bool {
		left = append(f.subjects("ZASYNC_QUEUE"), f.subjects("ZASYNC_DELAY")...)
		return len(left) == 0
	})
	if aside := f.subjects("ZASYNC_ASIDE"); len(aside) > 0 {
		f.t.Errorf("messages are set aside: %q", aside)
	}
	f.recorder.check(f.ctx, f.queue)
}

// subjects are those of the messages of a stream, or why they are not known.
func (f *fleet) subjects(stream string) []string {
	js, err := natsjs.New(f.nc)
	if err != nil {
		return []string{err.Error()}
	}
	s, err := js.Stream(f.ctx, stream)
	if err != nil {
		return []string{err.Error()}
	}
	info, err := s.Info(f.ctx, natsjs.WithSubjectFilter(">"))
	if err != nil {
		return []string{err.Error()}
	}
	return slices.Sorted(maps.Keys(info.State.Subjects))
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
