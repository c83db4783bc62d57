package jetstream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/internal/complaints"

	"github.com/nats-io/nats.go"
)

// Broker keeps messages in streams. It is safe for concurrent use.
type Broker struct {
	*site
	exchange *exchange
	log      *slog.Logger
	wrong    *complaints.Log
}

var _ driver.Broker = (*Broker)(nil)

// Put stores messages, each independently of the others. It sends all of them at once.
func (b *Broker) Put(ctx context.Context, messages []driver.Message) []driver.Stored {
	stored := make([]driver.Stored, len(messages))
	requests := make([]*nats.Msg, len(messages))
	for i := range messages {
		requests[i], stored[i].Err = b.request(&messages[i])
	}
	for i, a := range b.exchange.ask(ctx, requests) {
		if requests[i] == nil {
			continue
		}
		stored[i].Seq, stored[i].Err = acknowledged(a)
		if errors.Is(stored[i].Err, errWrongLast) {
			stored[i].Err = fmt.Errorf("jetstream: put %s: %w", messages[i].ID, driver.ErrExists)
		}
	}
	return stored
}

func (b *Broker) request(m *driver.Message) (*nats.Msg, error) {
	subject, err := b.subject(m)
	if err != nil {
		return nil, err
	}
	p := &nats.Msg{Subject: subject, Header: outward(m.Header), Data: m.Body}
	if m.Route == driver.Delay {
		if err := b.schedule(p, m); err != nil {
			return nil, err
		}
	}
	if m.Unique && m.ID != "" {
		p.Header[headerExpect] = []string{"0"}
	}
	return p, nil
}

// schedule adds the headers that say when the message fires, and to which subject. The
// client library's helper would cut the time to whole seconds, and the schedule would
// fire early.
func (b *Broker) schedule(p *nats.Msg, m *driver.Message) error {
	// The server accepts any year. It fires a schedule outside its own range at once or
	// never.
	at := m.At.UTC()
	if at.Year() > 2200 {
		return fmt.Errorf("jetstream: no schedule can be made for the year %d", at.Year())
	}
	if at.Before(time.Unix(0, 0)) {
		at = time.Unix(0, 0).UTC()
	}
	p.Header[headerSchedule] = []string{atPrefix + at.Format(time.RFC3339Nano)}
	p.Header[headerTarget] = []string{b.on(driver.Due, m.Queue, m.Name, string(m.ID))}
	return nil
}

const atPrefix = "@at "

// Settle sends the verdicts and does not wait for answers: no answer would tell whether
// the worker still held the delivery. When Settle returns without an error, the server
// has heard the extensions.
func (b *Broker) Settle(ctx context.Context, settlements []driver.Settlement) error {
	if err := context.Cause(ctx); err != nil {
		return fmt.Errorf("jetstream: settle: %w", err)
	}
	var errs []error
	var extensions []*nats.Msg
	for i := range settlements {
		s := &settlements[i]
		if !strings.HasPrefix(s.Handle, ackPrefix) {
			errs = append(errs, fmt.Errorf("jetstream: %q was not delivered, so it cannot be settled", s.ID))
			continue
		}
		m := &nats.Msg{Subject: s.Handle, Data: word(s)}
		if s.Verdict == driver.Extend {
			extensions = append(extensions, m)
			continue
		}
		b.exchange.outbox.post(letter{msg: m})
	}
	if len(extensions) > 0 {
		errs = append(errs, b.exchange.tell(ctx, extensions))
	}
	return errors.Join(errs...)
}

// The payloads of an acknowledgement.
var (
	wordDone     = []byte("+ACK")
	wordExtend   = []byte("+WPI")
	wordGiveBack = []byte("-NAK")
)

func word(s *driver.Settlement) []byte {
	switch {
	case s.Verdict == driver.Done:
		return wordDone
	case s.Verdict == driver.Extend:
		return wordExtend
	case s.After <= 0:
		return wordGiveBack
	}
	return []byte(`-NAK {"delay":` + strconv.FormatInt(int64(s.After), 10) + `}`)
}
