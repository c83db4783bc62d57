// Package plainclient is a client of the queue that knows PROTOCOL.md and
// nothing else: it imports no package of this module, so that what it can do, a
// client in any language can.
package plainclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
)

// Client speaks over a connection, which is the caller's.
type Client struct {
	Conn *nats.Conn
}

// Record is what a client cares for in the record of a deferred.
type Record struct {
	ID         string          `json:"id"`
	State      string          `json:"state"`
	Attempt    int             `json:"attempt"`
	Submitted  time.Time       `json:"submitted"`
	Started    time.Time       `json:"started"`
	Result     json.RawMessage `json:"result"`
	ResultType string          `json:"result_type"`
	Failure    *Failure        `json:"failure"`
	SettledBy  string          `json:"settled_by"`
	Waits      Waits           `json:"waits"`
}

// Waits says what a deferred waits for.
type Waits struct {
	On []string `json:"on"`
}

// Failure says why a call did not succeed.
type Failure struct {
	Kind    string `json:"kind"`
	Message string `json:"message"`
}

// Settled reports whether the record is final.
func (r *Record) Settled() bool {
	switch r.State {
	case "succeeded", "failed", "cancelled", "expired":
		return true
	}
	return false
}

// Message makes a message of a subject, a body, and headers in pairs.
func Message(subject, body string, headers ...string) *nats.Msg {
	m := nats.NewMsg(subject)
	m.Data = []byte(body)
	for i := 0; i+1 < len(headers); i += 2 {
		m.Header.Set(headers[i], headers[i+1])
	}
	return m
}

// RefusedError is an error of the server's.
type RefusedError struct {
	Code        int    `json:"err_code"`
	Description string `json:"description"`
}

func (e *RefusedError) Error() string { return fmt.Sprintf("refused: %s (%d)", e.Description, e.Code) }

// Submit stores a message and gives the number that the server gave it.
func (c *Client) Submit(ctx context.Context, m *nats.Msg) (seq uint64, err error) {
	answer, err := c.Conn.RequestMsgWithContext(ctx, m)
	if err != nil {
		return 0, fmt.Errorf("plainclient: submit: %w", err)
	}
	var ack struct {
		Seq   uint64        `json:"seq"`
		Error *RefusedError `json:"error"`
	}
	if err := json.Unmarshal(answer.Data, &ack); err != nil {
		return 0, fmt.Errorf("plainclient: submit: %w", err)
	}
	if ack.Error != nil {
		return 0, ack.Error
	}
	return ack.Seq, nil
}

// ErrNoRecord says that no worker has met the call yet, or that it is forgotten.
var ErrNoRecord = errors.New("plainclient: no record")

// Status reads the record of a deferred.
func (c *Client) Status(ctx context.Context, id string) (*Record, error) {
	m, err := c.Conn.RequestWithContext(ctx, "$JS.API.DIRECT.GET.KV_ZASYNC_STATE.$KV.ZASYNC_STATE."+id, nil)
	switch {
	case err != nil:
		return nil, fmt.Errorf("plainclient: status of %s: %w", id, err)
	case m.Header.Get("Status") == "404":
		return nil, ErrNoRecord
	}
	return decode(m.Data)
}

func decode(data []byte) (*Record, error) {
	r := new(Record)
	if err := json.Unmarshal(data, r); err != nil {
		return nil, fmt.Errorf("plainclient: record: %w", err)
	}
	return r, nil
}

// Stored reads the last message of a subject, which may have wildcards.
func (c *Client) Stored(ctx context.Context, stream, subject string) (*nats.Msg, error) {
	request, err := json.Marshal(map[string]string{"last_by_subj": subject})
	if err != nil {
		return nil, err
	}
	m, err := c.Conn.RequestWithContext(ctx, "$JS.API.DIRECT.GET."+stream, request)
	switch {
	case err != nil:
		return nil, fmt.Errorf("plainclient: stored: %w", err)
	case m.Header.Get("Status") != "":
		return nil, fmt.Errorf("plainclient: nothing is stored under %s: %s", subject, m.Header.Get("Description"))
	}
	return m, nil
}

// rereading is how often a waiter reads, in case a change was lost on the way.
const rereading = 10 * time.Second

// Await waits until the deferred has settled. It listens first and reads then,
// so that no change falls in between.
func (c *Client) Await(ctx context.Context, id string) (*Record, error) {
	live, err := c.Conn.SubscribeSync("zasync.live.state." + id)
	if err != nil {
		return nil, fmt.Errorf("plainclient: await: %w", err)
	}
	defer func() { _ = live.Unsubscribe() }() // fails only when the connection is gone
	if err := c.Conn.FlushWithContext(ctx); err != nil {
		return nil, fmt.Errorf("plainclient: await: %w", err)
	}
	r, err := c.Status(ctx, id)
	for {
		if err == nil && r.Settled() {
			return r, nil
		}
		if err != nil && !errors.Is(err, ErrNoRecord) {
			return nil, err
		}
		r, err = c.next(ctx, live, id)
	}
}

// next waits for a change, and reads when none came for long.
func (c *Client) next(ctx context.Context, live *nats.Subscription, id string) (*Record, error) {
	short, cancel := context.WithTimeout(ctx, rereading)
	defer cancel()
	m, err := live.NextMsgWithContext(short)
	if err == nil {
		return decode(m.Data)
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return c.Status(ctx, id)
}
