package dispatch

import (
	"context"
	"encoding/json"
	"errors"
	"runtime/debug"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/internal/liveness"
	"zasync/pkg/dispatch/internal/protocol"
	"zasync/pkg/dispatch/internal/wire"
)

// keepHouse does this worker's share of the work that needs no slot and no handler:
// commands, calls that must wait first, and calls whose time has come. The worker's
// admission and its pauses do not apply to this work.
func (f *feed) keepHouse(intake, ctx context.Context) {
	f.house.Want(driver.Lane{Route: driver.Commands}, houseWindow)
	f.house.Want(driver.Lane{Route: driver.Later}, houseWindow)
	f.house.Want(driver.Lane{Route: driver.Due}, dueWindow)
	for {
		d, err := f.house.Next(intake)
		if err != nil {
			if intake.Err() == nil {
				f.log.Error("housekeeping ended", "err", err)
				f.broken <- err
			}
			return
		}
		f.records.Clock.Observe(&d)
		f.leases.add(d)
		h := &holding{feed: f, delivery: d}
		switch {
		case d.Route == driver.Commands && !wire.BringsCall(&d.Message):
			f.handle(h, func() { f.command(ctx, h) })
		case d.Route == driver.Due:
			f.handle(h, func() { f.move(intake, ctx, h) })
		default:
			f.handle(h, func() { f.later(ctx, h) })
		}
	}
}

// handle deals with a delivery in a goroutine of its own.
func (f *feed) handle(h *holding, do func()) {
	f.work.Go(func() {
		defer f.rescue(h)
		do()
	})
}

// afterwards is handle for work that must not end with the caller's context.
func (f *feed) afterwards(h *holding, do func(ctx context.Context)) {
	f.during(func(ctx context.Context) {
		defer f.rescue(h)
		do(ctx)
	})
}

// rescue recovers from a panic; each function that deals with a delivery defers it. The
// message comes to one worker after the other, and a defect of ours must not end the
// program of each. So rescue logs the panic, and the message comes again later.
func (f *feed) rescue(h *holding) {
	if v := recover(); v != nil {
		f.log.Error("panic", "id", h.delivery.ID, "name", h.delivery.Name, "err", v, "stack", string(debug.Stack()))
		f.letCome(h, liveness.RedeliveryDelay(h.delivery.Deliveries), "panic", nil)
	}
}

// command carries out a command on a deferred. The message lasts until that is done,
// whichever worker dies.
func (f *feed) command(ctx context.Context, h *holding) {
	h.command = &deferred.Command{}
	if err := h.readCommand(); err != nil {
		f.carry(ctx, h, protocol.Decision{Action: protocol.SetAside, Why: err.Error()})
		return
	}
	f.untilDone(ctx, h, nil)
}

// readCommand reads the message. Commands that workers send to one another pass
// unchecked: they mean no more than "look again".
func (h *holding) readCommand() error {
	d, c := &h.delivery, h.command
	fault := wire.DecodeBody(d.Body, c)
	c.Verb, c.ID, c.Seq = deferred.Verb(d.Verb), d.ID, d.Seq
	switch c.Verb {
	case deferred.Resolve, deferred.Reject, deferred.Add: // a part of such a command would mean something else
		if fault != nil {
			return fault
		}
	case wire.VerbWake:
		h.readWake()
		return d.ID.Check()
	case wire.VerbExpire:
		h.readWake()
		return d.ID.Check()
	case deferred.Attach:
		return errors.New("a callback is attached by a message of its own")
	}
	return c.Check()
}

// readWake reads the revision that the message of another worker proves. Earlier
// versions of workers write less.
func (h *holding) readWake() {
	var w wire.Wake
	switch {
	case len(h.delivery.Body) == 0 || json.Unmarshal(h.delivery.Body, &w) != nil:
	case w.From != "":
		h.from, h.sent = w.From, w.Revision
	default:
		h.proven = w.Revision
	}
}

// later looks at a call that came on the later route or as a command. It parks the call
// until its time, or puts it into its lane.
func (f *feed) later(ctx context.Context, h *holding) {
	c, err := wire.Decode(&h.delivery)
	if err != nil {
		f.malformed(ctx, h, err)
		return
	}
	h.call, h.digest = c, c.Digest()
	f.untilDone(ctx, h, func() error {
		if err := f.meet(ctx, h); err != nil {
			return err
		}
		if r := h.Record; r != nil && r.State == deferred.Waiting { // its parent settled during the write
			return f.forward(ctx, h)
		}
		m, err := c.Encode(driver.Ready)
		if err != nil {
			return err
		}
		if err := f.unbroken(h); err != nil {
			return err
		}
		return f.records.Put(ctx, m)
	})
}

// meet records some calls before they go into their lane:
//
//   - A callback, or a call with a deadline: another message of the call, without these
//     terms, changes nothing then.
//   - A call with a number of the server as its id: no other message may have this
//     number then.
//
// A deadline gets an alarm, since there may be no worker of the lane to keep it.
func (f *feed) meet(ctx context.Context, h *holding) error {
	if h.call.After == nil && h.call.Deadline.IsZero() && wire.Number(h.delivery.ID) == 0 {
		return nil
	}
	if h.Record == nil || !h.Record.Seen {
		if err := h.write(ctx, h.next(), time.Time{}); err != nil {
			return err
		}
	}
	if h.call.Deadline.IsZero() {
		return nil
	}
	if err := f.unbroken(h); err != nil {
		return err
	}
	return f.records.Put(ctx, wire.Alarm(h.Record, h.call.Deadline))
}

// untilDone looks and acts until nothing changes in between. If a worker of the call's
// lane has to decide, forward hands the call on.
func (f *feed) untilDone(ctx context.Context, h *holding, forward func() error) {
	for {
		d, err := h.look(ctx)
		if err == nil {
			err = f.unbroken(h)
		}
		if err == nil && (d.Action == protocol.Claim || d.Action == protocol.TakeOver) {
			if err = forward(); err == nil {
				f.acknowledge(ctx, h)
				f.release(h)
				return
			}
		}
		if err != nil {
			f.letCome(h, liveness.RedeliveryDelay(h.delivery.Deliveries), "cannot keep house", err)
			return
		}
		if f.carry(ctx, h, d) {
			return
		}
	}
}

// move waits out the last moments before a call's time and puts the call into its lane:
// on the millisecond and never early. The message has no id for deduplication, since
// the same call may rightly be moved again.
func (f *feed) move(intake, ctx context.Context, h *holding) {
	d := &h.delivery
	if err := wire.CheckDue(d); err != nil {
		f.malformed(ctx, h, err)
		return
	}
	due, _ := time.Parse(time.RFC3339Nano, d.Header[wire.HeaderDue]) // a worker of the lane judges a time that cannot be read
	if latest := d.Time.Add(wire.LongestLead); due.After(latest) {   // no worker stores such a lead
		due = latest
	}
	for wait := due.Sub(f.records.Clock.Now()); wait > 0; wait = due.Sub(f.records.Clock.Now()) {
		if liveness.Pause(intake, wait) != nil {
			f.letCome(h, 0, "the worker leaves", nil)
			return
		}
	}
	if !f.leases.kept(d) { // another worker may have moved the call, which may have run and be forgotten
		f.letGoSilently(h)
		return
	}
	m := d.Message
	m.Route = driver.Ready
	wire.SpellInASCII(m.Header)
	if m.Header[wire.HeaderDeadline] != "" {
		m.Route = driver.Later // to get an alarm for its deadline, or to expire
	}
	if id := deferred.ID(m.Header[wire.HeaderWake]); id != "" {
		m = wire.WakeMessage(id, "", 0)
	}
	if err := f.records.Put(ctx, m); err != nil {
		f.letCome(h, liveness.RedeliveryDelay(d.Deliveries), "cannot move", err)
		return
	}
	f.acknowledge(ctx, h)
	f.release(h)
}
