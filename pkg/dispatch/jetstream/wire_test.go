package jetstream

import (
	"strings"
	"testing"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
)

var zasync = newNames(&Config{Namespace: "zasync"})

func TestSubjectsAreReadAsTheyAreWritten(t *testing.T) {
	for subject, m := range map[string]driver.Message{
		"zasync.q.low/eu.mail/send.A-1":     {Route: driver.Ready, Queue: "low/eu", Name: "mail/send", ID: "A-1"},
		"zasync.later.default.greet.x":      {Route: driver.Later, Queue: "default", Name: "greet", ID: "x"},
		"zasync.do.cancel.x":                {Route: driver.Commands, Verb: "cancel", ID: "x"},
		"zasync.at.x":                       {Route: driver.Delay, Queue: "q", Name: "n", ID: "x"},
		"zasync.later.default.greet":        {Route: driver.Later, Queue: "default", Name: "greet"},
		"zasync.aside.id-in-use":            {Route: driver.Aside, Verb: "id-in-use"},
		"zasync.q.default.greet":            {Route: driver.Ready, Queue: "default", Name: "greet"},
		"zasync.later.default.greet.12_3-x": {Route: driver.Later, Queue: "default", Name: "greet", ID: "12_3-x"},
	} {
		got, err := zasync.subject(&m)
		if err != nil || got != subject {
			t.Errorf("subject of %+v is %q, %v; want %q", m, got, err, subject)
		}
		d := driver.Delivery{Seq: 7}
		zasync.read(subject, &d)
		want := m
		if want.ID == "" {
			want.ID = "7"
		}
		if want.Route == driver.Delay {
			want.Queue, want.Name = "", ""
		}
		if diff := cmp.Diff(want, d.Message); diff != "" {
			t.Errorf("%s (-want +got):\n%s", subject, diff)
		}
	}
}

func TestSubjectOfAnyDepthIsRead(t *testing.T) {
	for subject, want := range map[string]driver.Message{
		"zasync.q.default.greet.-":     {Route: "q", Queue: "default", Name: "greet", ID: "7"},
		"zasync.q.default.greet.p03.x": {Route: "q", Queue: "default", Name: "greet", ID: "x"},
		"zasync.later.default.greet.-": {Route: "later", Queue: "default", Name: "greet", ID: "-"},
		"zasync.due.default.greet.x":   {Route: "due", Queue: "default", Name: "greet", ID: "x"},
		"zasync.q":                     {Route: "q", ID: "7"},
		"zasync.q.gr€et.*.>":           {Route: "q", Queue: "gr€et", Name: "*", ID: ">"},
		"zasync.do.cancel":             {Route: "do", Verb: "cancel", ID: "7"},
		"":                             {ID: "7"},
		"zasync.":                      {ID: "7"},
	} {
		d := driver.Delivery{Seq: 7}
		zasync.read(subject, &d)
		if diff := cmp.Diff(want, d.Message); diff != "" {
			t.Errorf("%q (-want +got):\n%s", subject, diff)
		}
	}
}

func TestMessageThatWouldReachOthersIsRefused(t *testing.T) {
	good := driver.Message{Route: driver.Ready, Queue: "q", Name: "n", ID: "i", Verb: "v"}
	for _, bad := range []string{"*", ">", "a.b", "a b", "a\r\nPUB x 0", "", "é", strings.Repeat("x", 65)} {
		for what, m := range map[string]driver.Message{
			"queue": {Route: good.Route, Queue: bad, Name: "n", ID: "i"},
			"name":  {Route: driver.Delay, Queue: "q", Name: bad, ID: "i"},
			"id":    {Route: driver.Commands, Verb: "v", ID: deferred.ID(bad)},
			"verb":  {Route: driver.Aside, Verb: bad},
		} {
			if got, err := zasync.subject(&m); err == nil {
				t.Errorf("%s %q is published to %q", what, bad, got)
			}
		}
	}
	for _, route := range []driver.Route{driver.Due, "", "*", "live"} {
		good.Route = route
		if _, err := zasync.subject(&good); err == nil {
			t.Errorf("a message can be put on the route %q", route)
		}
	}
}

func TestServerOrdersPassInNeitherDirection(t *testing.T) {
	out := outward(map[string]string{"Nats-Rollup": "all", "nats-TTL": "1", "NATS-Schedule": "x", "Zasync-Key": "k", "Other": "o"})
	if diff := cmp.Diff(nats.Header{"Zasync-Key": {"k"}, "Other": {"o"}}, out); diff != "" {
		t.Errorf("outward (-want +got):\n%s", diff)
	}
	in := inward(nats.Header{
		"nats-msg-id": {"x"}, "Nats-Scheduler": {"y"}, "Other": {"o"}, "Zasync-Empty": {},
		"zasync-not-before": {"first", "second"}, "content-TYPE": {"text/plain"},
		"ZASYNC-KEY": {"loud"}, "zasync-key": {"quiet"}, "Zasync-Key": {"canonical"},
	})
	want := map[string]string{"Zasync-Not-Before": "first", "Content-Type": "text/plain", "Zasync-Key": "canonical"}
	if diff := cmp.Diff(want, in); diff != "" {
		t.Errorf("inward (-want +got):\n%s", diff)
	}
	for range 20 { // a map has no order, what is chosen has
		if got := inward(nats.Header{"ZASYNC-KEY": {"b"}, "zasync-key": {"a"}}); got["Zasync-Key"] != "a" {
			t.Fatalf("of two spellings %q was chosen", got["Zasync-Key"])
		}
	}
}

func TestAcknowledgementSubjectIsReadInBothForms(t *testing.T) {
	want := ack{consumer: "default+greet", deliveries: 3, seq: 1795442839409062, time: time.Unix(0, 1795442839409062123), pending: 12}
	for _, subject := range []string{
		"$JS.ACK.ZASYNC_QUEUE.default+greet.3.1795442839409062.17.1795442839409062123.12",
		"$JS.ACK.hub.Ab12.ZASYNC_QUEUE.default+greet.3.1795442839409062.17.1795442839409062123.12",
		"$JS.ACK._.Ab12.ZASYNC_QUEUE.default+greet.3.1795442839409062.17.1795442839409062123.12.token",
	} {
		if got, ok := parseAck(subject); !ok || got != want {
			t.Errorf("%s is %+v, %t", subject, got, ok)
		}
	}
	for _, subject := range []string{
		"", "$JS.ACK.", "_INBOX.x", "$JS.ACK.S.C.1.2.3.4", "$JS.ACK.S.C.1.2.3.4.x", "$JS.ACK.S.C.1.2.3.4.-5", "$JS.ACK.D.S.C.1.2.3.4.5",
		"$JS.ACK.S.C.1.99999999999999999999.3.4.5",
	} {
		if got, ok := parseAck(subject); ok {
			t.Errorf("%q is read as %+v", subject, got)
		}
	}
}

func FuzzAcknowledgementSubject(f *testing.F) {
	f.Add("$JS.ACK.ZASYNC_QUEUE.default+greet.3.17.17.1795442839409062123.12")
	f.Add("$JS.ACK.hub.Ab12.ZASYNC_QUEUE.default+greet.3.17.17.1795442839409062123.12.t")
	f.Fuzz(func(t *testing.T, subject string) {
		a, ok := parseAck(subject)
		if ok && (a.pending < 0 || a.deliveries < 0 || !strings.Contains(subject, a.consumer)) {
			t.Fatalf("%q is %+v", subject, a)
		}
	})
}

func FuzzSubject(f *testing.F) {
	for _, s := range []string{"zasync.q.a.b.c", "zasync.q.a.b.p01.c", "zasync.do.x.y", "zasync.at.x", "zasync.later.a.b", "zasync.aside.x", ">"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, subject string) {
		d := driver.Delivery{Seq: 7}
		zasync.read(subject, &d)
		if d.ID == "" {
			t.Fatalf("%q has no id: %+v", subject, d)
		}
		if again, err := zasync.subject(&d.Message); err == nil {
			e := driver.Delivery{Seq: 7}
			zasync.read(again, &e)
			if diff := cmp.Diff(d.Message, e.Message); diff != "" && d.Route != driver.Aside {
				t.Fatalf("%q, written again as %q (-first +second):\n%s", subject, again, diff)
			}
		}
	})
}
