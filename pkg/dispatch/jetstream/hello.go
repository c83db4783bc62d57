package jetstream

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
)

// Two installations that receive each other's subjects, for example over a leaf node,
// both store and perform each call, and neither looks wrong. So each worker publishes now
// and then to which installation it belongs, and listens for others.
const (
	helloEvery  = time.Minute
	helloTwice  = 2  // the first may be outdated: the streams were made again since
	helloOthers = 16 // how many other installations a worker remembers
)

// hello is the message that a worker publishes on zasync.live.hello.
type hello struct {
	Installation string `json:"installation"`
}

// installation returns the identity of the installation: the time when its queue stream
// was made.
func (s *site) installation(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, openLimit)
	defer cancel()
	stream, err := s.js.Stream(ctx, s.queue())
	if err != nil {
		return "", err
	}
	return strconv.FormatInt(stream.CachedInfo().Created.UnixNano(), 36), nil
}

// greet publishes hello until the context ends, and warns of other installations.
func (s *subscription) greet(ctx context.Context) {
	heard := make(chan *nats.Msg, 64)
	sub, err := s.nc.ChanSubscribe(s.broker.hello(), heard)
	if err != nil {
		return // the connection is closed
	}
	defer func() { _ = sub.Unsubscribe() }()
	g := &greeter{subscription: s, others: map[string]int{}}
	tick := time.NewTicker(helloEvery)
	defer tick.Stop()
	for g.say(ctx); ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			g.say(ctx)
		case m := <-heard:
			g.hear(ctx, m)
		}
	}
}

type greeter struct {
	*subscription
	own    string
	others map[string]int // how often each was heard
}

func (g *greeter) say(ctx context.Context) {
	own, err := g.broker.installation(ctx)
	if err != nil {
		return // the next tick tries again, in a minute
	}
	g.own = own
	data, _ := json.Marshal(hello{Installation: own}) // a string
	_ = g.nc.Publish(g.broker.hello(), data)          // fails only when the connection is closed
}

func (g *greeter) hear(ctx context.Context, m *nats.Msg) {
	var h hello
	if json.Unmarshal(m.Data, &h) != nil || h.Installation == "" || h.Installation == g.own {
		return
	}
	n := g.others[h.Installation]
	if n == helloTwice || n == 0 && len(g.others) == helloOthers {
		return
	}
	g.say(ctx) // it reads our installation again, which may have changed
	if h.Installation == g.own {
		return
	}
	if g.others[h.Installation]++; g.others[h.Installation] == helloTwice {
		g.log.Error("another installation hears what is published here, so each call is stored and performed by both; "+
			"if it is behind a leaf node, deny "+g.broker.prefix+"> between both servers, or give one of them another namespace, or let both use one JetStream (its domain)",
			"namespace", g.broker.config.Namespace, "ours", g.own, "theirs", h.Installation)
	}
}
