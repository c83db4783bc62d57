package dispatch

import (
	"context"
	"errors"
	"fmt"
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
	err := q.put(ctx, m)
	if n := len(m.Body); errors.Is(err, ErrTooLarge) && n > deferred.MaxArgsSize { // with the headers that were added it does not fit
		m.Body = m.Body[:deferred.MaxArgsSize]
		m.Header[HeaderReason] += fmt.Sprintf("; cut from %d bytes", n)
		err = q.put(ctx, m)
	}
	return err
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

// stands reports whether a call that can be understood waits under the same id:
// then the id is its own. What cannot be looked up counts as such.
func (f *feed) stands(ctx context.Context, d Delivery) bool {
	found, err := f.broker.Find(ctx, d.ID)
	for i := range found {
		if _, fault := parse(&found[i]); fault == nil {
			return true
		}
	}
	return err != nil
}

// malformed deals with a message that cannot be understood: it is set aside,
// and whoever waits for its id learns why, unless the id is another call's.
func (f *feed) malformed(ctx context.Context, d Delivery, cause error) {
	h := &holding{feed: f, delivery: d}
	err := f.setAside(ctx, d, "malformed", cause.Error())
	if err == nil && d.ID.Check() == nil && d.Route != Commands && !f.stands(ctx, d) {
		r := &deferred.Record{ID: d.ID, Name: d.Name, Queue: d.Queue, Seen: true, Digest: "malformed", Submitted: d.Time, Settled: f.clock.now()}
		r.Settle(deferred.Failed, &deferred.Failure{Kind: deferred.KindMalformed, Message: cause.Error()})
		if _, err = f.writeRecord(ctx, r, 0, 0); errors.Is(err, ErrConflict) {
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
