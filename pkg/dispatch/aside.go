package dispatch

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

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
	found, err := f.find(ctx, d.ID)
	for i := range found {
		if _, fault := parse(&found[i]); fault == nil {
			return true
		}
	}
	return err != nil
}

// malformed deals with a message that cannot be understood: it is set aside,
// and whoever waits for its id learns why, unless the id is another call's.
func (f *feed) malformed(ctx context.Context, h *holding, cause error) {
	d := h.delivery
	err := f.setAside(ctx, d, "malformed", cause.Error())
	if err == nil && d.ID.Check() == nil && d.Route != Commands && !f.stands(ctx, d) {
		err = f.settleMalformed(ctx, h, cause)
	}
	if err != nil {
		f.letCome(h, growing(d.Deliveries), "cannot set aside", err)
		return
	}
	f.acknowledge(ctx, h)
	f.release(h)
}

const digestMalformed = "malformed" // in place of that of a call

// settleMalformed makes the record say that the message could not be understood.
// One that something else made before keeps what hangs on it, and, if it was
// settled by that, its outcome.
func (f *feed) settleMalformed(ctx context.Context, h *holding, cause error) (err error) {
	for {
		if h.sighting, err = f.latestRecord(ctx, h.delivery.ID); err != nil {
			return err
		}
		r := h.next()
		if !r.Seen {
			d := &h.delivery
			r.Name, r.Queue, r.Seen, r.Digest, r.Submitted = d.Name, d.Queue, true, digestMalformed, d.Time
			if !r.State.Settled() {
				r.Settle(deferred.Failed, &deferred.Failure{Kind: deferred.KindMalformed, Message: cause.Error()})
			}
			err = h.write(ctx, r, f.clock.now())
		}
		switch {
		case errors.Is(err, ErrConflict), errors.Is(err, ErrUnknown):
		case err != nil || r.Digest != digestMalformed:
			return err
		default:
			return f.finish(ctx, h)
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
}

// leaveParent marks a callback that was set aside, because its id is another
// call's, as settled in its parent's record: nobody else would, and the parent
// would be kept for ever.
func (f *feed) leaveParent(ctx context.Context, h *holding) error {
	if h.parent == nil || h.record == nil || h.record.Parent != nil && h.record.Parent.ID == h.parent.ID {
		return nil
	}
	if e := h.parent.Attached(h.delivery.ID); e == nil || e.Waiter || e.Settled {
		return nil
	}
	_, err := f.letGo(ctx, []deferred.ID{h.parent.ID}, h.delivery.ID, time.Time{})
	return err
}
