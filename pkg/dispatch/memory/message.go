package memory

import (
	"bytes"
	"maps"
	"strconv"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
)

// state is what a message waits for.
type state int

const (
	kept      state = iota // nothing: it is aside
	waiting                // somebody who wants it, in its lane
	held                   // the end of its lease
	resting                // the end of the while that it was given back for
	scheduled              // its time
	gone
)

// A message is in the broker, whose lock guards it.
type message struct {
	driver.Message // not to be changed: deliveries get copies
	seq            uint64
	stored         time.Time
	numbered       bool // the id is the sequence
	deliveries     int

	state state
	// until is when the state ends. It alone counts: the timer may ring earlier,
	// and is then set again, so that to extend a lease costs no timer.
	until time.Time
	timer *time.Timer
}

func newMessage(p driver.Message, seq uint64) *message {
	m := &message{Message: p, seq: seq, stored: time.Now()}
	m.Header, m.Body = maps.Clone(p.Header), bytes.Clone(p.Body)
	if m.ID == "" {
		m.ID, m.numbered = deferred.ID(strconv.FormatUint(seq, 10)), true
	}
	return m
}

// like reports whether p, of the same id, has the same subject.
func (m *message) like(p *driver.Message) bool {
	if m.numbered || m.Route != p.Route {
		return false
	}
	return m.Route == driver.Delay || m.Queue == p.Queue && m.Name == p.Name && m.Verb == p.Verb
}

func (m *message) lane() driver.Lane {
	d := driver.Delivery{Message: m.Message}
	return d.Lane()
}

// seen is the message as it is found.
func (m *message) seen() driver.Delivery {
	d := driver.Delivery{Message: m.Message, Seq: m.seq, Time: m.stored, Got: time.Now(), Deliveries: m.deliveries}
	d.Header, d.Body = maps.Clone(m.Header), bytes.Clone(m.Body)
	return d
}

// handOut begins a lease.
func (b *Broker) handOut(m *message, backlog int) driver.Delivery {
	m.deliveries++
	b.sleep(m, held, time.Now().Add(b.lease))
	d := m.seen()
	d.Backlog, d.Handle = backlog, strconv.FormatUint(m.seq, 10)
	return d
}

// sleep keeps a message in a state until a time.
func (b *Broker) sleep(m *message, s state, until time.Time) {
	m.state, m.until = s, until
	if m.timer == nil {
		m.timer = time.AfterFunc(time.Until(until), func() { b.wake(m) })
		return
	}
	m.timer.Reset(time.Until(until))
}

func (b *Broker) wake(m *message) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if m.state == waiting || m.state == gone {
		return // the timer rang while that was decided
	}
	if left := time.Until(m.until); left > 0 {
		m.timer.Reset(left)
		return
	}
	if m.state == scheduled {
		b.fire(m)
		return
	}
	b.offerAgain(m)
}

// fire turns a schedule into a message that is due.
func (b *Broker) fire(m *message) {
	b.remove(m)
	p := m.Message
	p.Route, p.At, p.Unique = driver.Due, time.Time{}, false
	b.store(p)
}
