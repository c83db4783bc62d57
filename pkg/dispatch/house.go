package dispatch

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"zasync/pkg/deferred"
)

// keepHouse does this worker's share of what needs no slot and no handler:
// commands, calls that must wait first, and calls whose time has come. It is
// never subject to what a worker admits or to a pause.
func (f *feed) keepHouse(intake, ctx context.Context) {
	f.house.Want(Lane{Route: Commands}, houseWindow)
	f.house.Want(Lane{Route: Later}, houseWindow)
	f.house.Want(Lane{Route: Due}, dueWindow)
	for {
		d, err := f.house.Next(intake)
		if err != nil {
			if intake.Err() == nil {
				f.log.Error("housekeeping ended", "err", err)
				f.broken <- err
			}
			return
		}
		f.clock.observe(&d)
		f.leases.add(d)
		switch d.Route {
		case Commands:
			f.work.Go(func() { f.command(ctx, d) })
		case Due:
			f.work.Go(func() { f.move(intake, ctx, d) })
		default:
			f.work.Go(func() { f.later(ctx, d) })
		}
	}
}

// command carries out what was asked of a deferred. The message lasts until
// that is done, whoever dies.
func (f *feed) command(ctx context.Context, d Delivery) {
	h := &holding{feed: f, delivery: d, command: &deferred.Command{}}
	err := h.readCommand()
	if err != nil {
		f.settleAside(ctx, h, "command", err.Error())
		return
	}
	f.untilDone(ctx, h, nil)
}

// readCommand reads the message. Words that workers put for one another pass
// unchecked: they mean no more than "look again".
func (h *holding) readCommand() error {
	d, c := &h.delivery, h.command
	fault := readBody(d.Body, c)
	c.Verb, c.ID, c.Seq = deferred.Verb(d.Verb), d.ID, d.Seq
	switch c.Verb {
	case deferred.Resolve, deferred.Reject, deferred.Add: // half of what they say would be something else
		if fault != nil {
			return fault
		}
	case verbWake:
		var w wake
		if len(d.Body) > 0 && json.Unmarshal(d.Body, &w) == nil {
			h.from = w.From
		}
		return d.ID.Check()
	case verbExpire:
		return d.ID.Check()
	case deferred.Attach:
		return errors.New("a callback is attached by a message of its own")
	}
	return c.Check()
}

// readBody reads what a command says. A text that is no such JSON is a reason, as
// it stands: nothing of it is taken for anything else.
func readBody(body []byte, c *deferred.Command) error {
	if len(body) == 0 {
		return nil
	}
	err := json.Unmarshal(body, c)
	if err != nil {
		*c = deferred.Command{Reason: string(body)}
	}
	return err
}

func (f *feed) settleAside(ctx context.Context, h *holding, reason, detail string) {
	if err := f.setAside(ctx, h.delivery, reason, detail); err != nil {
		f.letCome(h, growing(h.delivery.Deliveries), "cannot set aside", err)
		return
	}
	f.acknowledge(ctx, h)
	f.release(h)
}

// later looks at a call that came by the way of those that must wait: it is
// parked until its time, or goes into the queue.
func (f *feed) later(ctx context.Context, d Delivery) {
	c, err := parse(&d)
	if err != nil {
		f.malformed(ctx, d, err)
		return
	}
	h := &holding{feed: f, delivery: d, call: c, digest: c.digest()}
	f.untilDone(ctx, h, func() error {
		if !c.Deadline.IsZero() {
			if err := f.watchDeadline(ctx, h); err != nil {
				return err
			}
		}
		if r := h.record; r != nil && r.State == deferred.Waiting { // its parent settled while that was written
			return f.forward(ctx, h)
		}
		m, err := c.again(Ready)
		if err != nil {
			return err
		}
		return f.put(ctx, m)
	})
}

// watchDeadline has a call that goes into its lane looked at when its deadline
// comes: there may be no worker of the lane to do so.
func (f *feed) watchDeadline(ctx context.Context, h *holding) error {
	if h.record == nil || !h.record.Seen {
		if err := h.write(ctx, h.next(), time.Time{}); err != nil {
			return err
		}
	}
	return f.put(ctx, alarm(h.record, h.call.Deadline))
}

// untilDone looks and acts until nothing changes in between. What a worker of
// the call's lane has to decide on is handed on by forward.
func (f *feed) untilDone(ctx context.Context, h *holding, forward func() error) {
	for {
		d, err := h.look(ctx)
		if err == nil && (d.deed == claim || d.deed == takeOver) {
			if err = forward(); err == nil {
				f.acknowledge(ctx, h)
				f.release(h)
				return
			}
		}
		if err != nil {
			f.letCome(h, growing(h.delivery.Deliveries), "cannot keep house", err)
			return
		}
		if f.carry(ctx, h, d) {
			return
		}
	}
}

// move waits out the last bit before a call's time and puts it into the queue,
// on the millisecond and never early. It carries no id for deduplication: the
// same call may rightly be moved again.
func (f *feed) move(intake, ctx context.Context, d Delivery) {
	h := &holding{feed: f, delivery: d}
	due, _ := time.Parse(time.RFC3339Nano, d.Header[HeaderDue]) // what cannot be read is judged in the queue
	for wait := due.Sub(f.clock.now()); wait > 0; wait = due.Sub(f.clock.now()) {
		if pause(intake, wait) != nil {
			f.letCome(h, 0, "the worker leaves", nil)
			return
		}
	}
	m := d.Message
	m.Route = Ready
	if m.Header[HeaderDeadline] != "" {
		m.Route = Later // to have its deadline watched, or to be expired
	}
	if id := deferred.ID(m.Header[HeaderWake]); id != "" {
		m = wakeOf(id, "")
	}
	if err := f.put(ctx, m); err != nil {
		f.letCome(h, growing(d.Deliveries), "cannot move", err)
		return
	}
	f.acknowledge(ctx, h)
	f.release(h)
}
