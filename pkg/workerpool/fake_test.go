package workerpool_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/workerpool"
)

// fakeSource is a source and its one feed. It holds what it has offered to the
// rules of deferred.Feed, and keeps account of every call.
type fakeSource struct {
	joinErr, leaveErr error
	next              func()                     // called when a call is asked for
	settle            func(deferred.ID)          // is called first when a call is settled; may take its time
	claim             func(deferred.Offer) error // says how a claim goes; may take its time

	mu       sync.Mutex
	changed  chan struct{} // closed, and made anew, at each change
	worker   deferred.Worker
	wants    map[deferred.Lane]int
	wishes   []wish
	waiting  []*fakeCall
	calls    map[deferred.ID]*fakeCall
	held     int
	maxHeld  int
	nextErr  error
	left     bool
	mistakes []string
}

type wish struct {
	lane deferred.Lane
	n    int
}

// fakeCall is a call and what became of it.
type fakeCall struct {
	offer     deferred.Offer
	attempt   *deferred.Attempt
	settleErr error
	buffered  bool

	ends     []string // each of "declined", "unclaimed", "settled"
	claimed  bool
	reason   string
	outcome  deferred.Outcome
	settleAt time.Time
}

func newSource() *fakeSource {
	return &fakeSource{
		changed: make(chan struct{}),
		wants:   map[deferred.Lane]int{},
		calls:   map[deferred.ID]*fakeCall{},
	}
}

// add queues a call; its id is its number from 1, unless it is changed.
func (s *fakeSource) add(name string, args deferred.Content, change ...func(*fakeCall)) *fakeCall {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := deferred.ID(fmt.Sprint(len(s.calls) + 1))
	o := deferred.Offer{ID: id, Lane: deferred.Lane{Queue: deferred.DefaultQueue, Name: name}, Size: len(args.Data), Handle: id}
	c := &fakeCall{offer: o}
	c.attempt = &deferred.Attempt{Number: 3, Args: args}
	for _, f := range change {
		f(c)
	}
	c.attempt.Offer = c.offer
	s.calls[c.offer.ID] = c
	s.waiting = append(s.waiting, c)
	s.wake()
	return c
}

func suspect(c *fakeCall) { c.offer.Suspect = true }

// buffered is a call that the feed has at hand already: it is offered although
// nothing is wanted any more.
func buffered(c *fakeCall) { c.buffered = true }

func (s *fakeSource) wake() {
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *fakeSource) mistake(format string, args ...any) {
	s.mistakes = append(s.mistakes, fmt.Sprintf(format, args...))
}

func (s *fakeSource) Join(_ context.Context, w deferred.Worker) (deferred.Feed, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.worker = w
	return s, s.joinErr
}

func (s *fakeSource) Want(l deferred.Lane, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wants[l] = n
	s.wishes = append(s.wishes, wish{l, n})
	s.wake()
}

func (s *fakeSource) Next(ctx context.Context) (deferred.Offer, error) {
	if s.next != nil {
		s.next()
	}
	for {
		c, changed, err := s.take()
		if err != nil || c != nil {
			return offerOf(c), err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return deferred.Offer{}, ctx.Err()
		}
	}
}

func offerOf(c *fakeCall) deferred.Offer {
	if c == nil {
		return deferred.Offer{}
	}
	return c.offer
}

func (s *fakeSource) take() (*fakeCall, <-chan struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, c := range s.waiting {
		limit, known := s.wants[c.offer.Lane]
		if c.buffered || s.held < limit || !known && s.held == 0 {
			s.waiting = slices.Delete(s.waiting, i, i+1)
			s.held++
			s.maxHeld = max(s.maxHeld, s.held)
			return c, nil, nil
		}
	}
	return nil, s.changed, s.nextErr
}

func (s *fakeSource) Claim(ctx context.Context, o deferred.Offer) (*deferred.Attempt, error) {
	if s.claim != nil {
		if err := s.claim(o); err != nil {
			s.end(o.ID, "unclaimed", nil)
			return nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if ctx.Err() != nil {
		s.mistake("claim of %s under a context that has ended", o.ID)
	}
	c := s.calls[o.ID]
	if c.claimed || len(c.ends) > 0 {
		s.mistake("claim of %s, which is claimed or ended", o.ID)
	}
	c.claimed = true
	return c.attempt, nil
}

func (s *fakeSource) Decline(o deferred.Offer, reason string) {
	s.end(o.ID, "declined", func(c *fakeCall) { c.reason = reason })
}

func (s *fakeSource) Settle(ctx context.Context, a *deferred.Attempt, o deferred.Outcome) error {
	if s.settle != nil {
		s.settle(a.ID)
	}
	c := s.end(a.ID, "settled", func(c *fakeCall) {
		c.outcome, c.settleAt = o, time.Now()
		if !c.claimed || a != c.attempt || ctx.Err() != nil {
			s.mistake("settlement of %s, claimed %t, under a context with the error %v", a.ID, c.claimed, ctx.Err())
		}
	})
	return c.settleErr
}

func (s *fakeSource) end(id deferred.ID, how string, f func(*fakeCall)) *fakeCall {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.calls[id]
	c.ends = append(c.ends, how)
	if len(c.ends) > 1 || s.left {
		s.mistake("%s ended as %v, the worker having left: %t", id, c.ends, s.left)
	}
	if f != nil {
		f(c)
	}
	s.held--
	s.wake()
	return c
}

func (s *fakeSource) Leave(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.left {
		s.mistake("left twice")
	}
	s.left = true
	for l, n := range s.wants {
		if n != 0 {
			s.mistake("left while %d calls are wanted of %v", n, l)
		}
	}
	return s.leaveErr
}

func (s *fakeSource) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.nextErr = err
	s.wake()
}

// endOf is how a call ended, "" if it has not.
func (s *fakeSource) endOf(c *fakeCall) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(c.ends, " and ")
}

// check reports breaches of the rules of deferred.Feed.
func (s *fakeSource) check(t *testing.T) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.mistakes {
		t.Error(m)
	}
	if !s.left {
		t.Error("the worker has not left")
	}
}

// running is a pool that runs in the test's bubble.
type running struct {
	*workerpool.Pool
	source *fakeSource
	log    *logBuffer
	stop   context.CancelFunc
	done   chan error
}

// start runs the pool, on a fake source and with a log of its own.
func start(t *testing.T, p *workerpool.Pool) *running {
	t.Helper()
	r := &running{Pool: p, log: &logBuffer{}, done: make(chan error, 1)}
	if p.Source == nil {
		p.Source = newSource()
	}
	r.source = p.Source.(*fakeSource)
	if p.Name == "" {
		p.Name = "tester"
	}
	p.Logger = slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	ctx, cancel := context.WithCancel(t.Context())
	r.stop = cancel
	go func() { r.done <- p.Run(ctx) }()
	return r
}

// finish stops the pool, waits for it and checks the account.
func (r *running) finish(t *testing.T) {
	t.Helper()
	r.stop()
	if err := <-r.done; err != nil {
		t.Errorf("Run: %v", err)
	}
	r.source.check(t)
}

// pass lets time pass and everything happen that is due by then.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// line is the one line with the text; "" if there is none.
func (l *logBuffer) line(t *testing.T, text string) string {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	var found []string
	for line := range strings.Lines(l.b.String()) {
		if strings.Contains(line, text) {
			found = append(found, line)
		}
	}
	if len(found) > 1 {
		t.Errorf("%d lines of the log have %q", len(found), text)
	}
	return strings.Join(found, "")
}

var errTest = errors.New("out of paper")

const (
	work  deferred.Func[int, int]       = "work"
	greet deferred.Func[string, string] = "greet"
)

func jsonText(s string) deferred.Content { return deferred.JSON([]byte(s)) }
