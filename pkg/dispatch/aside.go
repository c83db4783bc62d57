package dispatch

import (
	"context"
	"errors"
	"maps"

	"zasync/pkg/deferred"
)

// setAside keeps a message that cannot be used where it is seen, as it came.
func (q *Queue) setAside(ctx context.Context, d Delivery, reason, detail string) error {
	m := d.Message
	m.Route, m.Verb = Aside, reason
	m.Header = maps.Clone(d.Header)
	if m.Header == nil {
		m.Header = map[string]string{}
	}
	m.Header[HeaderReason], m.Header[HeaderSubject] = detail, d.origin()
	q.log.Warn("message set aside", "id", d.ID, "name", d.Name, "queue", d.Queue, "reason", detail)
	return q.put(ctx, m)
}

func (d *Delivery) origin() string {
	s := string(d.Route)
	for _, token := range []string{d.Queue, d.Name, d.Verb, string(d.ID)} {
		if token != "" {
			s += "." + token
		}
	}
	return s
}

// malformed deals with a message that cannot be understood: it is set aside,
// and whoever waits for its id learns why, unless the id is another call's.
func (f *feed) malformed(ctx context.Context, d Delivery, cause error) {
	h := &holding{feed: f, delivery: d}
	err := f.setAside(ctx, d, "malformed", cause.Error())
	if err == nil && d.ID.Check() == nil && d.Route != Commands {
		r := &deferred.Record{ID: d.ID, Name: d.Name, Queue: d.Queue, Seen: true, Digest: "malformed", Submitted: d.Time, Settled: f.clock.now()}
		r.Settle(deferred.Failed, &deferred.Failure{Kind: deferred.KindMalformed, Message: cause.Error()})
		if _, err = f.writeRecord(ctx, r, 0); errors.Is(err, ErrConflict) {
			err = nil
		}
	}
	if err != nil {
		f.letCome(h, growing(d.Deliveries), "cannot set aside", err)
		return
	}
	f.acknowledge(ctx, h)
	f.release(h)
}
