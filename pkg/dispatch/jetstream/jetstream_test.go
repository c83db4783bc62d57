package jetstream_test

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/driver/drivertest"
	"zasync/pkg/dispatch/jetstream"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"
)

// shared is the server of all tests but those that stop one. Each test has a
// namespace of its own on it.
var shared *server.Server

func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", atOnce); err != nil {
		panic(err)
	}
	dir, err := os.MkdirTemp("", "zasync-test-")
	if err != nil {
		panic(err)
	}
	shared = runServer(&server.Options{DontListen: true, JetStream: true, StoreDir: dir, NoSigs: true, NoLog: true})
	keepOneStream(shared)
	guardedDir = filepath.Join(dir, "guarded")
	code := m.Run()
	stopGuarded()
	shared.Shutdown()
	shared.WaitForShutdown()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

func runServer(o *server.Options) *server.Server {
	s, err := server.NewServer(o)
	if err != nil {
		panic(err)
	}
	s.Start()
	if !o.DontListen && !s.ReadyForConnections(10*time.Second) {
		panic("the server does not start")
	}
	return s
}

// keepOneStream: a server removes the directory of its streams with the last of
// them, under the feet of whoever makes one at that moment.
func keepOneStream(s *server.Server) {
	nc, err := nats.Connect("", nats.InProcessServer(s))
	if err != nil {
		panic(err)
	}
	defer nc.Close()
	js, err := natsjs.New(nc)
	if err == nil {
		_, err = js.CreateStream(context.Background(), natsjs.StreamConfig{Name: "KEPT", Subjects: []string{"kept"}})
	}
	if err != nil {
		panic(err)
	}
}

func connect(tb testing.TB) *nats.Conn {
	tb.Helper()
	nc, err := nats.Connect("", nats.InProcessServer(shared))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(nc.Close)
	return nc
}

var spaces atomic.Int64

// place is a namespace of a test.
type place struct {
	nc     *nats.Conn
	js     natsjs.JetStream
	config jetstream.Config
	store  *jetstream.Store
	broker *jetstream.Broker
}

// upper is how stream names of the place begin.
func (p *place) upper() string { return strings.ToUpper(p.config.Namespace) }

// claim takes a namespace and leaves it empty.
func claim(tb testing.TB) *place {
	tb.Helper()
	p := &place{nc: connect(tb), config: jetstream.Config{
		Namespace: fmt.Sprintf("t%d", spaces.Add(1)), Lease: time.Second, Logger: slog.New(slog.DiscardHandler),
		QueueBytes: 64 << 20, // to find out how much there is takes time
	}}
	var err error
	if p.js, err = natsjs.New(p.nc); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		for name := range p.js.StreamNames(context.Background()).Name() {
			if strings.HasPrefix(strings.TrimPrefix(name, "KV_"), p.upper()+"_") {
				_ = p.js.DeleteStream(context.Background(), name)
			}
		}
	})
	return p
}

// settle claims a namespace and opens it.
func settle(tb testing.TB) *place {
	tb.Helper()
	p := claim(tb)
	p.open(tb)
	return p
}

func (p *place) open(tb testing.TB) {
	tb.Helper()
	var err error
	if p.store, p.broker, err = jetstream.OpenPair(tb.Context(), p.nc, p.config); err != nil {
		tb.Fatal(err)
	}
}

func TestStoreKeepsItsContract(t *testing.T) {
	drivertest.TestStore(t, inParallel, func(t *testing.T) driver.Store {
		t.Helper()
		return settle(t).store
	})
}

// The cases of a contract run beside one another, and not beside the stories: nothing
// renews their leases.
func TestBrokerKeepsItsContract(t *testing.T) {
	drivertest.TestBroker(t, inParallel, func(t *testing.T) drivertest.Brokering {
		t.Helper()
		p := settle(t)
		return drivertest.Brokering{Broker: p.broker, Lease: p.config.Lease}
	})
}
