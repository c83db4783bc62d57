package integration

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"zasync/integration/internal/proc"
	"zasync/pkg/dispatch"
	"zasync/pkg/dispatch/jetstream"
)

// replicas is how many servers keep each stream of a cluster.
const replicas = 3

// cluster is three servers, each in a process of its own, with this process's
// view of them.
type cluster struct {
	t       *testing.T
	ctx     context.Context //nolint:containedctx // bounds every wait of one test
	members [replicas]*member

	nc    *nats.Conn
	queue *dispatch.Queue
}

// member is one server of a cluster. Its addresses and its store outlive it.
type member struct {
	name, addr, routed, store string
	process                   *proc.Process
}

// newCluster begins with three servers and the streams of an installation.
// Each server may store so many bytes.
func newCluster(t *testing.T, limit time.Duration, maxStore int64) *cluster {
	t.Helper()
	t.Parallel() // it waits much and works little
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	c := &cluster{t: t, ctx: ctx}
	for i := range c.members {
		c.members[i] = &member{name: fmt.Sprintf("n%d", i+1), addr: freeAddr(t), routed: freeAddr(t), store: t.TempDir()}
	}
	for _, m := range c.members {
		c.start(m, maxStore)
	}
	var err error
	if c.nc, err = nats.Connect(c.urls(), nats.MaxReconnects(-1), nats.ReconnectWait(reconnectWait), nats.RetryOnFailedConnect(true)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.nc.Close)
	c.until("the servers agree on a leader and make the streams", func() bool {
		attempt, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		c.queue, err = jetstream.Open(attempt, c.nc, jetstream.Config{Replicas: replicas})
		return err == nil
	})
	return c
}

// start begins a server over its store, the first time or again.
func (c *cluster) start(m *member, maxStore int64) {
	c.t.Helper()
	routes := make([]string, 0, replicas)
	for _, other := range c.members {
		routes = append(routes, "nats://"+other.routed)
	}
	m.process = proc.Start(c.t, role("member", m.name, m.addr, m.routed, strings.Join(routes, ","), m.store, strconv.FormatInt(maxStore, 10)))
}

// urls are the addresses of all servers, for whoever connects to any.
func (c *cluster) urls() string {
	var urls []string
	for _, m := range c.members {
		urls = append(urls, m.url())
	}
	return strings.Join(urls, ",")
}

// until waits for a condition.
func (c *cluster) until(what string, ok func() bool) {
	c.t.Helper()
	tick := time.NewTicker(glance)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-c.ctx.Done():
			c.t.Fatalf("it never came to this: %s", what)
		}
	}
}

// pause waits for so long, or until the test has to end.
func (c *cluster) pause(d time.Duration) {
	select {
	case <-time.After(d):
	case <-c.ctx.Done():
	}
}

// serveMember is one server of a cluster. It is given its name, the address of
// clients, that of the other servers, theirs, its store and how much it may store.
func serveMember(ctx context.Context, args []string) error {
	opts := &server.Options{ServerName: args[0], JetStream: true, StoreDir: args[4], NoSigs: true, PingInterval: 2 * time.Second, MaxPingsOut: 2}
	var err error
	if opts.Host, opts.Port, err = splitAddr(args[1]); err != nil {
		return err
	}
	opts.Cluster.Name = "zasync"
	if opts.Cluster.Host, opts.Cluster.Port, err = splitAddr(args[2]); err != nil {
		return err
	}
	for _, s := range strings.Split(args[3], ",") {
		u, err := url.Parse(s)
		if err != nil {
			return err
		}
		opts.Routes = append(opts.Routes, u)
	}
	if opts.JetStreamMaxStore, err = strconv.ParseInt(args[5], 10, 64); err != nil {
		return err
	}
	s, err := server.NewServer(opts)
	if err != nil {
		return err
	}
	s.SetLogger(stderrLog{slog.New(slog.NewTextHandler(os.Stderr, nil))}, false, false)
	s.Start()
	defer s.Shutdown()
	<-ctx.Done()
	return context.Cause(ctx)
}

func splitAddr(addr string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(addr)
	if err != nil {
		return "", 0, err
	}
	port, err = strconv.Atoi(text)
	return host, port, err
}

// stderrLog keeps what a server says when something is wrong.
type stderrLog struct{ log *slog.Logger }

func (stderrLog) Noticef(string, ...any)           {}
func (stderrLog) Debugf(string, ...any)            {}
func (stderrLog) Tracef(string, ...any)            {}
func (l stderrLog) Warnf(format string, v ...any)  { l.log.Warn(fmt.Sprintf(format, v...)) }
func (l stderrLog) Errorf(format string, v ...any) { l.log.Error(fmt.Sprintf(format, v...)) }
func (l stderrLog) Fatalf(format string, v ...any) { l.log.Error(fmt.Sprintf(format, v...)) }
