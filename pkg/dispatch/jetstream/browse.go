package jetstream

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"time"

	"zasync/pkg/dispatch/driver"

	"github.com/nats-io/nats.go"
)

const (
	pageMessages = 512
	pageBytes    = 4 << 20
)

// getRequest asks for stored messages: for one message, or for a batch that follows a
// sequence and matches a subject.
type getRequest struct {
	Seq      uint64 `json:"seq,omitempty"`
	Last     string `json:"last_by_subj,omitempty"`
	Next     string `json:"next_by_subj,omitempty"`
	Batch    int    `json:"batch,omitempty"`
	MaxBytes int    `json:"max_bytes,omitempty"`
}

func (n names) get(r getRequest, stream string) *nats.Msg {
	data, _ := json.Marshal(r) // numbers and strings
	return &nats.Msg{Subject: n.api("DIRECT.GET." + stream), Data: data}
}

// browse returns the stored messages after a sequence whose subjects match the filter,
// oldest first. It needs no consumer and has no effect on the messages. It ends when the
// server says that there are no more messages. If most is not 0, it bounds the messages
// of a page.
func (x *exchange) browse(ctx context.Context, stream, filter string, after uint64, most int) iter.Seq2[*nats.Msg, error] {
	return func(yield func(*nats.Msg, error) bool) {
		b, err := x.newBrowser(stream, filter, most)
		if err != nil {
			yield(nil, err)
			return
		}
		defer b.close()
		for more := true; more; {
			var page []*nats.Msg
			if page, more, err = b.patiently(ctx, after); err != nil {
				yield(nil, fmt.Errorf("jetstream: browse %s: %w", stream, err))
				return
			}
			for _, m := range page {
				after = sequence(m)
				if !yield(m, nil) {
					return
				}
			}
		}
	}
}

// A browser reads pages. Each page has its own reply subject. So the browser does not
// take the late messages of an abandoned page for messages of the next page.
type browser struct {
	exchange       *exchange
	stream, filter string
	inbox          string
	sub            *nats.Subscription
	asked          int
	batch          int
}

func (x *exchange) newBrowser(stream, filter string, most int) (*browser, error) {
	b := &browser{exchange: x, stream: stream, filter: filter, inbox: x.nc.NewInbox() + ".", batch: pageMessages}
	if most > 0 {
		b.batch = min(b.batch, most)
	}
	var err error
	if b.sub, err = x.nc.SubscribeSync(b.inbox + "*"); err != nil {
		return nil, fmt.Errorf("jetstream: %w", x.unsent(err))
	}
	return b, b.sub.SetPendingLimits(-1, -1)
}

func (b *browser) close() { _ = b.sub.Unsubscribe() } // fails only when the connection is gone

// patiently reads a page. It tries again if the connection breaks during the read or the
// stream has no leader.
func (b *browser) patiently(ctx context.Context, after uint64) (page []*nats.Msg, more bool, err error) {
	for began := time.Now(); ; {
		if page, more, err = b.page(ctx, after); err == nil || stays(err) {
			return page, more, err
		}
		switch {
		case time.Since(began) > insistFor:
			return nil, false, err
		case !pause(ctx, askAgain):
			return nil, false, context.Cause(ctx)
		}
	}
}

// stays reports whether another attempt would fail with the same error.
func stays(err error) bool {
	return errors.Is(err, driver.ErrNotPermitted) || errors.Is(err, driver.ErrClosed) || errors.Is(err, driver.ErrMissing)
}

func (b *browser) page(ctx context.Context, after uint64) (page []*nats.Msg, more bool, err error) {
	if err := b.exchange.connected(ctx); err != nil {
		return nil, false, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, answerLimit, errLost)
	defer cancel()
	defer b.exchange.ending.then(cancel)()
	request := b.exchange.names.get(getRequest{Seq: after + 1, Next: b.filter, Batch: b.batch, MaxBytes: pageBytes}, b.stream)
	b.asked++
	request.Reply = b.inbox + strconv.Itoa(b.asked)
	ctx, free := b.exchange.refusals.bound(ctx, func(e *driver.PermissionError) bool {
		return e.Subject == request.Subject || e.Subject == b.inbox+"*"
	})
	defer free()
	if err := b.exchange.nc.PublishMsg(request); err != nil {
		return nil, false, err
	}
	for {
		m, err := b.sub.NextMsgWithContext(ctx)
		if errors.Is(err, nats.ErrNoResponders) {
			return nil, false, first(b.exchange.lookout.unheard(request.Subject), errNobody)
		}
		if err != nil {
			return nil, false, cmp.Or(b.exchange.ending.cause(), refusal(ctx, err))
		}
		if m.Subject != request.Reply {
			continue
		}
		switch status(m) {
		case "":
			page = append(page, m)
		case "404": // nothing follows
			return page, false, nil
		case "204": // the end of the batch
			return page, stamped(m.Header, headerPending) != "0", nil
		default:
			return nil, false, statusError(m)
		}
	}
}
