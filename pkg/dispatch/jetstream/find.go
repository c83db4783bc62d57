package jetstream

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"

	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"
)

// Find returns the messages that stand for an id: the last message of each route, and of
// lanes with and without shards. Of the commands it returns only the one that brings a
// join.
func (b *Broker) Find(ctx context.Context, id deferred.ID) ([]driver.Delivery, error) {
	if err := id.Check(); err != nil {
		return nil, err
	}
	last := func(r driver.Route, tokens ...string) *nats.Msg {
		return b.get(getRequest{Last: b.on(r, append(tokens, string(id))...)}, b.stream(r))
	}
	requests := []*nats.Msg{
		last(driver.Ready, "*", "*"),
		last(driver.Ready, "*", "*", "*"),
		last(driver.Later, "*", "*"),
		last(driver.Delay),
		last(driver.Due, "*", "*"),
		last(driver.Commands, driver.VerbJoin),
	}
	if seq, err := strconv.ParseUint(string(id), 10, 63); err == nil && seq > 0 { // a number that the server may have assigned
		requests = append(requests, b.get(getRequest{Seq: seq}, b.queue()))
	}
	var found []driver.Delivery
	for _, a := range b.exchange.ask(ctx, requests) {
		if a.err == nil && status(a.msg) != "" && status(a.msg) != "404" {
			a.err = statusError(a.msg)
		}
		if a.err != nil {
			return nil, fmt.Errorf("jetstream: find %q: %w", id, unread(a.err))
		}
		if status(a.msg) != "" {
			continue
		}
		d := b.seen(a.msg)
		if d.ID == id && (d.Route != driver.Commands || d.Verb == driver.VerbJoin) && !contains(found, d) {
			found = append(found, d)
		}
	}
	return found, nil
}

// contains reports whether found has the delivery already. Find may find a call twice, by
// its number and by an id of the same digits.
func contains(found []driver.Delivery, d driver.Delivery) bool {
	for _, f := range found {
		if f.Seq == d.Seq && f.Route == d.Route {
			return true
		}
	}
	return false
}

// seen turns a stored message into a delivery that cannot be settled.
func (b *Broker) seen(m *nats.Msg) driver.Delivery {
	d := driver.Delivery{Seq: sequence(m), Got: time.Now()}
	d.Time, _ = time.Parse(time.RFC3339Nano, stamped(m.Header, headerTimeStamp)) // the server wrote it
	d.Header, d.Body = inward(m.Header), m.Data
	b.read(stamped(m.Header, headerSubject), &d)
	if d.Route == driver.Delay {
		b.readSchedule(m.Header, &d)
	}
	return d
}

// readSchedule fills in the call that a schedule becomes. Only workers may make
// schedules, so it does not check them.
func (b *Broker) readSchedule(h nats.Header, d *driver.Delivery) {
	var target driver.Delivery
	b.read(h.Get(headerTarget), &target)
	d.Queue, d.Name = target.Queue, target.Name
	if at, ok := strings.CutPrefix(h.Get(headerSchedule), atPrefix); ok {
		d.At, _ = time.Parse(time.RFC3339Nano, at)
	}
}

// Remove deletes the schedule of an id, if there is one.
func (b *Broker) Remove(ctx context.Context, id deferred.ID) error {
	if err := id.Check(); err != nil {
		return err // a wildcard would delete all schedules
	}
	data, _ := json.Marshal(map[string]string{"filter": b.on(driver.Delay, string(id))})
	m, err := b.exchange.one(ctx, &nats.Msg{Subject: b.api("STREAM.PURGE." + b.delay()), Data: data})
	var answer struct {
		Error *natsjs.APIError `json:"error"`
	}
	if err == nil {
		err = json.Unmarshal(m.Data, &answer)
	}
	if err == nil && answer.Error != nil {
		err = b.exchange.lookout.explain(b.delay(), answer.Error)
	}
	if err != nil {
		return fmt.Errorf("jetstream: remove the schedule of %q: %w", id, err)
	}
	return nil
}

// Pending returns the messages of a route, oldest first.
func (b *Broker) Pending(ctx context.Context, p driver.Page) iter.Seq2[driver.Delivery, error] {
	return func(yield func(driver.Delivery, error) bool) {
		n := 0
		for m, err := range b.exchange.browse(ctx, b.stream(p.Route), b.filter(&p), p.After, p.Limit) {
			if err != nil {
				yield(driver.Delivery{}, err)
				return
			}
			d := b.seen(m)
			if p.Queue != "" && d.Queue != p.Queue || p.Name != "" && d.Name != p.Name {
				continue
			}
			if !yield(d, nil) {
				return
			}
			if n++; n == p.Limit {
				return
			}
		}
	}
}
