package dispatch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/internal/liveness"
	"zasync/pkg/dispatch/internal/protocol"
	"zasync/pkg/dispatch/internal/wire"
)

// setAside keeps a message that cannot be used where it is seen, as it came, or as
// much of it as the server takes.
func (rs *Records) setAside(ctx context.Context, d driver.Delivery, reason, detail string) error {
	rs.Log.Warn("message set aside", "id", d.ID, "name", d.Name, "queue", d.Queue, "reason", wire.CutText(detail, maxSaid))
	m := d.Message
	m.Route, m.Verb = driver.Aside, reason
	m.Header = maps.Clone(d.Header)
	if m.Header == nil {
		m.Header = map[string]string{}
	}
	m.Header[wire.HeaderReason], m.Header[wire.HeaderSubject] = wire.ASCII(wire.CutText(detail, maxSaid)), wire.ASCII(wire.CutText(wire.Origin(&d.Message), maxSaid))
	wire.SpellInASCII(m.Header)
	err := rs.put(ctx, m)
	for _, room := range asideRooms {
		if !errors.Is(err, driver.ErrTooLarge) {
			return err
		}
		err = rs.put(ctx, lessened(m, room))
	}
	if errors.Is(err, driver.ErrTooLarge) { // it would come again for ever, and be refused each time
		rs.Log.Error("message lost: the server keeps nothing of it aside", "id", d.ID, "name", d.Name, "queue", d.Queue, "err", err)
		return nil
	}
	return err
}

// maxSaid bounds what is said about a message: its sender chose parts of that.
const maxSaid = 512

// asideRooms are how much of a message is tried after it was refused as too large:
// nobody tells which part of it is, nor what the limit is.
var asideRooms = []asideRoom{
	{body: deferred.MaxArgsSize, headers: 1 << 20},
	{body: deferred.MaxArgsSize, headers: 32 << 10},
	{body: 32 << 10, headers: 8 << 10},
	{body: 4 << 10, headers: 1 << 10},
	{},
}

type asideRoom struct{ body, headers int }

// lessened is a message for the set-aside stream with as much of body and headers as
// there is room for. The largest headers go first; its reason says what is missing.
func lessened(m driver.Message, room asideRoom) driver.Message {
	reason, subject := m.Header[wire.HeaderReason], m.Header[wire.HeaderSubject]
	m.Header = maps.Clone(m.Header)
	delete(m.Header, wire.HeaderReason)
	delete(m.Header, wire.HeaderSubject)
	size := func(key string) int { return len(key) + len(m.Header[key]) }
	keys := slices.SortedFunc(maps.Keys(m.Header), func(a, b string) int {
		return cmp.Or(cmp.Compare(size(b), size(a)), cmp.Compare(a, b))
	})
	total, gone := 0, 0
	for _, key := range keys {
		total += size(key)
	}
	for ; gone < len(keys) && total > room.headers; gone++ {
		total -= size(keys[gone])
		delete(m.Header, keys[gone])
	}
	if gone > 0 {
		reason += fmt.Sprintf("; without its %d largest headers, %s first", gone, wire.CutText(keys[0], maxSaid/8))
	}
	if n := len(m.Body); n > room.body {
		m.Body = m.Body[:room.body]
		reason += fmt.Sprintf("; cut from %d bytes", n)
	}
	m.Header[wire.HeaderReason], m.Header[wire.HeaderSubject] = reason, subject
	return m
}

// stands reports whether a call that can be understood waits under the same id:
// then the id is its own. What cannot be looked up counts as such.
func (f *feed) stands(ctx context.Context, d driver.Delivery) bool {
	found, err := f.records.find(ctx, d.ID)
	for i := range found {
		if _, fault := wire.Decode(&found[i]); fault == nil && !wire.Foreign(&found[i]) {
			return true
		}
	}
	return err != nil
}

// malformed deals with a message that cannot be understood: it is set aside,
// and whoever waits for its id learns why, unless the id is another call's.
func (f *feed) malformed(ctx context.Context, h *holding, cause error) {
	d := h.delivery
	err := f.records.setAside(ctx, d, "malformed", cause.Error())
	if err == nil && d.ID.Check() == nil && !wire.Foreign(&d) && !f.stands(ctx, d) {
		err = f.settleMalformed(ctx, h, cause)
	}
	if err != nil {
		f.letCome(h, liveness.RedeliveryDelay(d.Deliveries), "cannot set aside", err)
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
		if h.sighting, err = f.records.latestRecord(ctx, h.delivery.ID); err != nil {
			return err
		}
		r := h.next()
		if !r.Seen {
			d := &h.delivery
			r.Queue, r.Name = wire.CallNames(&d.Message)
			r.Seen, r.Digest, r.Submitted = true, digestMalformed, d.Time
			if !r.State.Settled() {
				r.Settle(deferred.Failed, &deferred.Failure{Kind: deferred.KindMalformed, Message: protocol.Cut(cause.Error())})
			}
			err = h.write(ctx, r, f.records.Clock.Now())
		}
		switch {
		case errors.Is(err, driver.ErrConflict), errors.Is(err, driver.ErrUnknown):
		case errors.Is(err, driver.ErrTooLarge): // the message is where people look, and the record as it was
			f.log.Error("record cannot say that its call is malformed", "id", r.ID, "err", err)
			return nil
		case err != nil || r.Digest != digestMalformed:
			return err
		default:
			return f.finish(ctx, h)
		}
		if err := liveness.Pause(ctx, 20*time.Millisecond); err != nil {
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
