package memory

import (
	"zasync/pkg/dispatch/driver"
)

// A lane has the messages that wait in it: what was handed out before comes
// first, as on a server. Messages that are gone stay in it until they are met.
type lane struct {
	again, fresh []*message
	waiting      int // of those, the ones that are not gone
	wanted       []*subscription
}

func (b *Broker) lane(l driver.Lane) *lane {
	if b.lanes[l] == nil {
		b.lanes[l] = new(lane)
	}
	return b.lanes[l]
}

// offer lets a new message wait in its lane.
func (b *Broker) offer(m *message) {
	l := b.lane(m.lane())
	l.fresh = append(l.fresh, m)
	l.announce(m)
}

// offerAgain lets a message that was handed out wait in its lane.
func (b *Broker) offerAgain(m *message) {
	l := b.lane(m.lane())
	l.again = append(l.again, m)
	l.announce(m)
}

func (l *lane) announce(m *message) {
	m.state = waiting
	l.waiting++
	for _, s := range l.wanted {
		s.signal()
	}
}

// take gives the next message, nil if none waits.
func (l *lane) take() *message {
	for _, queue := range []*[]*message{&l.again, &l.fresh} {
		for len(*queue) > 0 {
			m := (*queue)[0]
			(*queue)[0] = nil // the array lives on
			*queue = (*queue)[1:]
			if m.state == waiting {
				l.waiting--
				return m
			}
		}
	}
	return nil
}
