package jetstream

import (
	"strconv"
	"strings"
	"time"

	"zasync/pkg/dispatch/driver"

	"github.com/nats-io/nats.go"
)

// ask sends the pull requests that the group's credit allows:
//
//   - At the start every lane counts as backlogged. ask draws from one lane after the
//     other until the credit is used up. A draw takes the messages that are there, and
//     its end says that the lane is empty.
//   - An empty lane has a standing pull for one message while there is credit. ask sets
//     it after every end of a draw, since the draw may have missed a message that was
//     stored at the same moment.
//   - From a backlogged lane ask draws with all the free credit; then the next lane has
//     its turn.
func (s *subscription) ask(g *group) {
	if s.online && !s.ended && !s.halted {
		g.due(s.draw, s.stand)
	}
}

func (s *subscription) draw(l *lane) {
	n := l.group.free(l)
	s.send(l, pull{left: n, deadline: time.Now().Add(drawWait)}, drawRequest(n))
	l.group.drawn += n
}

func (s *subscription) stand(l *lane) {
	s.send(l, pull{left: 1, standing: true, deadline: time.Now().Add(standingWait)}, standingRequest)
}

// send sends a pull request. A request that cannot be sent counts as lost: its deadline
// passes, or the connection comes back.
func (s *subscription) send(l *lane, p pull, request []byte) {
	s.pulls++
	p.number = s.pulls
	l.pull, l.phase = p, asked
	reply := s.inbox + strconv.Itoa(l.number) + "." + strconv.FormatUint(p.number, 10)
	if err := s.nc.PublishRequest(l.pulls, reply, request); err != nil {
		s.log.Debug("pull request not sent", "queue", l.Queue, "name", l.Name, "err", err)
	}
}

// receive takes a delivery, or the status that the server sends for a pull request.
func (s *subscription) receive(m *nats.Msg) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m.Reply == "" {
		s.told(m)
		return
	}
	a, ok := parseAck(m.Reply)
	l := s.durable[a.consumer]
	if !ok || l == nil {
		s.log.Error("message is no delivery", "reason", m.Reply)
		return
	}
	over := l.came()
	if g := l.group; s.ended || s.halted || g.held+g.buffered >= l.want {
		s.giveBack(m.Reply) // the delivery exceeds the credit, or the supply has stopped
		a.pending++
	} else {
		g.buffered++
		s.buffer = append(s.buffer, s.broker.delivery(l, m, a))
		signal(s.ready)
	}
	if over {
		l.group.queue(l, emptyIf(a.pending == 0))
	}
	s.ask(l.group)
}

func emptyIf(nothing bool) phase {
	if nothing {
		return empty
	}
	return backlogged
}

func (b *Broker) delivery(l *lane, m *nats.Msg, a ack) driver.Delivery {
	d := driver.Delivery{Seq: a.seq, Time: a.time, Got: time.Now(), Deliveries: a.deliveries, Backlog: a.pending, Handle: m.Reply}
	d.Header, d.Body = inward(m.Header), m.Data
	b.read(m.Subject, &d)
	d.Route = l.Route
	return d
}

// told takes the status that the server sends when a pull request ends. A status for an
// older request means nothing any more.
func (s *subscription) told(m *nats.Msg) {
	l := s.answered(m.Subject)
	if l == nil {
		return
	}
	word := m.Header.Get(headerStatus)
	if word == "100" { // an idle heartbeat: the request stays open
		return
	}
	l.over()
	switch word {
	case "404", "408": // no message is there; no message came
		l.group.queue(l, empty)
	default: // the consumer or its leader is gone, the server stops, or a limit is reached
		s.log.Debug("lane interrupted", "queue", l.Queue, "name", l.Name, "reason", word+" "+m.Header.Get(headerReason))
		s.miss(l)
	}
	s.ask(l.group)
}

// answered returns the lane of the pull request that a reply subject names, if the
// request is still open.
func (s *subscription) answered(reply string) *lane {
	rest, ok := strings.CutPrefix(reply, s.inbox)
	number, of, _ := strings.Cut(rest, ".")
	n, err := strconv.Atoi(number)
	if !ok || err != nil || n < 0 || n >= len(s.lanes) {
		return nil
	}
	l := s.lanes[n]
	if p, err := strconv.ParseUint(of, 10, 64); err != nil || p == 0 || l.pull.number != p {
		return nil
	}
	return l
}

// miss makes the keeper make or check the consumer of a lane.
func (s *subscription) miss(l *lane) {
	l.phase = missing
	s.mend = append(s.mend, l)
	signal(s.absent)
}
