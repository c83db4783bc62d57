package jetstream

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
)

// Two installations that hear each other's subjects, as over a leaf node, store
// and perform each call twice, and neither looks wrong. So each worker says now
// and then which installation it belongs to, and listens for others.
const (
	helloEvery  = time.Minute
	helloTwice  = 2  // the first may be of a worker that has not seen yet that the streams were made anew
	helloOthers = 16 // so many are remembered
)

// hello is what a worker says on zasync.live.hello.
type hello struct {
	Installation string `json:"installation"`
}

// installation tells one from every other: when its queue was made.
func (s *site) installation(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, openLimit)
	defer cancel()
	stream, err := s.js.Stream(ctx, s.queue())
	if err != nil {
		return "", err
	}
	return strconv.FormatInt(stream.CachedInfo().Created.UnixNano(), 36), nil
}

// greet says hello until the context ends, and warns of other installations.
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
		return // it is said in a minute
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
	g.say(ctx) // whoever is wrong about itself finds out by that
	if h.Installation == g.own {
		return
	}
	if g.others[h.Installation]++; g.others[h.Installation] == helloTwice {
		g.log.Error("another installation hears what is published here, so each call is stored and performed by both; "+
			"if it is behind a leaf node, deny "+g.broker.prefix+"> between both servers, or give one of them another namespace, or let both use one JetStream (its domain)",
			"namespace", g.broker.config.Namespace, "ours", g.own, "theirs", h.Installation)
	}
}
