package jetstream_test

import (
	"strings"
	"testing"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch"
	"zasync/pkg/dispatch/driver"

	"github.com/nats-io/nats.go"
)

// Anybody may publish to subjects that no client of ours would, and headers that it
// would never send. Each such message is set aside, and none comes again for ever.
func TestMessagesOnOddSubjectsAreSetAside(t *testing.T) {
	t.Parallel()
	p := settle(t)
	q := dispatch.New(p.store, p.broker, dispatch.Config{Lease: p.config.Lease, Logger: p.config.Logger})
	f, err := q.Join(t.Context(), deferred.Worker{Name: "w"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Leave(t.Context()) }()
	f.Want(deferred.Lane{Queue: "default", Name: "greet"}, 10)
	odd := map[string]nats.Header{
		"due.de€fault.greet.a":                 nil,
		"due.default.gr!eet.a":                 nil,
		"due.default.greet.!":                  nil,
		"due.default.greet.b":                  {"Zasync-Wake": {"no id!"}},
		"later.default.gr!eet.c":               nil,
		"later.de!fault.greet":                 nil,
		"q.default.greet.p01.!":                nil,
		"q.default.greet.d":                    {"Zasync-Callbacks": {strings.Repeat("x", 65_300)}},
		"q.default.greet.e":                    {"Zasync-" + strings.Repeat("X", 40_000): {"x"}},
		"q.default.greet.f":                    {"zasync-odd": {"Zürich"}},
		"do.cancel.!":                          nil,
		"do.wake.!":                            nil,
		"do.odd!.g":                            nil,
		"do.cancel." + strings.Repeat("x", 99): nil,
	}
	for subject, h := range odd {
		if _, err := p.js.PublishMsg(t.Context(), &nats.Msg{Subject: p.config.Namespace + "." + subject, Header: h}); err != nil {
			t.Fatalf("%s: %v", subject, err)
		}
	}
	left := func(stream string) uint64 {
		s, err := p.js.Stream(t.Context(), p.upper()+"_"+stream)
		if err != nil {
			t.Fatal(err)
		}
		return s.CachedInfo().State.Msgs
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for limit := time.After(patience); left("ASIDE") != uint64(len(odd)) || left("QUEUE") != 0 || left("DELAY") != 0; {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("of %d messages %d are set aside, and %d and %d come again", len(odd), left("ASIDE"), left("QUEUE"), left("DELAY"))
		}
	}
	for d, err := range p.broker.Pending(t.Context(), driver.Page{Route: driver.Aside}) {
		if err != nil {
			t.Fatal(err)
		}
		for key, value := range d.Header {
			if strings.ContainsFunc(value, func(r rune) bool { return r > 0x7e }) {
				t.Errorf("%s is %q", key, value)
			}
		}
	}
}
