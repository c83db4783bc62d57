package connect

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"zasync/pkg/dispatch"

	"github.com/nats-io/nats-server/v2/server"
)

// told keeps what a listener is told, and passes it on.
type told struct {
	mu   sync.Mutex
	said []string
	news chan string
}

func newTold() *told { return &told{news: make(chan string, 100)} }

func (l *told) say(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.said = append(l.said, text)
	l.news <- text
}

func (l *told) Away(since time.Duration, err error) { l.say(fmt.Sprintf("away %s: %v", since, err)) }
func (l *told) Back(after time.Duration)            { l.say(fmt.Sprintf("back %s", after)) }

// hears waits for a word that begins so and has such a part.
func (l *told) hears(t *testing.T, begin, part string) {
	t.Helper()
	limit := time.After(time.Minute)
	for {
		select {
		case text := <-l.news:
			if strings.HasPrefix(text, begin) && strings.Contains(text, part) {
				return
			}
		case <-limit:
			t.Fatalf("%q with %q was never said, but %q", begin, part, l.said)
		}
	}
}

func TestOutageIsToldAtOnceAndOnceAPeriodUntilItIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newTold()
		o := &outage{listener: l}
		for i := range 64 {
			o.failed(nil, fmt.Errorf("cause %d", i))
			time.Sleep(1100 * time.Millisecond)
		}
		o.over(true)
		time.Sleep(time.Hour)
		o.over(true)
		want := []string{"away 0s: cause 0", "away 30s: cause 27", "away 1m0s: cause 54", "back 1m10.4s"}
		if !slices.Equal(l.said, want) {
			t.Errorf("said %q, want %q", l.said, want)
		}
	})
}

// site is a place for a server that comes and goes.
type site struct {
	t      *testing.T
	addr   *net.TCPAddr
	store  string
	server *server.Server
}

func newSite(t *testing.T) *site {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, addr: l.Addr().(*net.TCPAddr), store: t.TempDir()}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.stop)
	return s
}

func (s *site) url() string { return "nats://" + s.addr.String() }

func (s *site) start(user string) {
	s.t.Helper()
	var err error
	s.server, err = server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: s.addr.Port, JetStream: true, StoreDir: s.store, NoSigs: true, NoLog: true, Username: user, Password: user,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.server.Start()
	if !s.server.ReadyForConnections(time.Minute) {
		s.t.Fatal("the server is not ready")
	}
}

func (s *site) stop() {
	if s.server != nil {
		s.server.Shutdown()
		s.server.WaitForShutdown()
		s.server = nil
	}
}

func TestSessionStaysWhileItsServerIsAwayAndRefusesItsLogin(t *testing.T) {
	s := newSite(t)
	s.start("")
	l := newTold()
	q, err := Options{Server: s.url()}.Open(t.Context(), "test", slog.New(slog.DiscardHandler), Staying(l)...)
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	waiting := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { _, err := q.Await(ctx, "never"); waiting <- err }()
	s.stop()
	l.hears(t, "away 0s", "")
	s.start("joe")
	for range 3 { // twice would be the end of a connection that does not stay
		s.refuses(t)
	}
	s.stop()
	s.start("")
	l.hears(t, "back", "")
	cancel()
	if err := <-waiting; !errors.Is(err, context.Canceled) || errors.Is(err, dispatch.ErrClosed) {
		t.Errorf("who waited was told %v", err)
	}
}

// refuses waits until the server has refused one login more.
func (s *site) refuses(t *testing.T) {
	t.Helper()
	v, err := s.server.Varz(nil)
	if err != nil {
		t.Fatal(err)
	}
	before := v.TotalConnections
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if v, err = s.server.Varz(nil); err != nil || v.TotalConnections > before || time.Now().After(deadline) {
			break
		}
	}
	if err != nil || v.TotalConnections == before {
		t.Fatalf("nobody tried (%v)", err)
	}
}

func TestServerThatIsNotThereYetIsWaitedFor(t *testing.T) {
	s := newSite(t)
	l := newTold()
	opened := make(chan error, 1)
	go func() {
		q, err := Options{Server: s.url()}.OpenPatiently(t.Context(), "test", slog.New(slog.DiscardHandler), l)
		if err == nil {
			q.Close()
		}
		opened <- err
	}()
	l.hears(t, "away 0s", "no NATS server answers at "+s.url())
	s.start("")
	l.hears(t, "back", "")
	if err := <-opened; err != nil {
		t.Error(err)
	}
}

func TestServerThatRefusesTheLoginIsNotWaitedFor(t *testing.T) {
	s := newSite(t)
	s.start("joe")
	l := newTold()
	_, err := Options{Server: s.url()}.OpenPatiently(t.Context(), "test", slog.New(slog.DiscardHandler), l)
	if err == nil || !strings.Contains(err.Error(), "does not let us in") || len(l.said) > 0 {
		t.Errorf("got %v, said %q", err, l.said)
	}
}

func TestWaitingForAServerEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	l := newTold()
	opened := make(chan error, 1)
	go func() {
		_, err := Options{Server: newSite(t).url()}.OpenPatiently(ctx, "test", slog.New(slog.DiscardHandler), l)
		opened <- err
	}()
	l.hears(t, "away 0s", "")
	cancel()
	if err := <-opened; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
