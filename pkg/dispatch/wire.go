package dispatch

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
)

// The headers of a call, all optional. PROTOCOL.md is their reference.
const (
	HeaderContentType = "Content-Type"
	HeaderNotBefore   = "Zasync-Not-Before" // RFC 3339
	HeaderDelay       = "Zasync-Delay"      // a duration such as 90s or 1h30m, from when the server stored the message
	HeaderBeginBy     = "Zasync-Begin-By"   // RFC 3339
	HeaderRetries     = "Zasync-Retries"    // attempts after failures, 0 for none
	HeaderLabels      = "Zasync-Labels"     // a JSON object of strings
	HeaderCallbacks   = "Zasync-Callbacks"  // a JSON array
	HeaderAfter       = "Zasync-After"      // the id of the deferred that the call follows
	HeaderOn          = "Zasync-On"         // success, failure, both or skipped
	HeaderKinds       = "Zasync-Kinds"      // a JSON array of kinds of failure
	HeaderDeadline    = "Zasync-Deadline"   // RFC 3339: settled by then, or expired
	HeaderTimeout     = "Zasync-Timeout"    // a duration: how long an attempt may run
	HeaderKeep        = "Zasync-Keep"       // a duration: how long the settled record is kept
	HeaderJoin        = "Zasync-Join"       // all, all-settled, any or race; the body is the array of ids that it waits for
	HeaderCancelRest  = "Zasync-Cancel-Rest"
	HeaderQueue       = "Zasync-Queue"   // of a join that is a command: the queue, "" is the default one
	HeaderName        = "Zasync-Name"    // and the name
	HeaderPromise     = "Zasync-Promise" // the SHA-256 of the secret that settles it
)

// The headers that only workers write.
const (
	HeaderSubmitted = "Zasync-Submitted" // when the server stored the first message of the call
	HeaderDue       = "Zasync-Due"       // when a parked message is to stand in the queue again
	HeaderReason    = "Zasync-Reason"    // why a message was set aside
	HeaderSubject   = "Zasync-Subject"   // what a message that was set aside was sent as
	HeaderWake      = "Zasync-Wake"      // of a schedule that carries no call: the id that it wakes
)

// carried is a call as a message carries it.
type carried struct {
	deferred.Call           // NotBefore includes the delay
	submitted     time.Time // by the server's clock
	due           time.Time // when it was parked for, if it was
}

// digest tells two calls under one id apart: name, codec and arguments; of what
// is not performed also what it waits for. A callback may wait in its record, and
// must still be the same call when it comes out of there.
func (c *carried) digest() string { return digest(&c.Call) }

func digest(c *deferred.Call) string {
	args := bodyOf(c)
	if c.After != nil {
		args = args.Stored()
	}
	h := sha256.New()
	for _, s := range []string{c.Name, args.Type} {
		h.Write([]byte(s))
		h.Write([]byte{0})
	}
	h.Write(args.Data)
	if c.Join != nil {
		h.Write([]byte("\x00" + string(c.Join.Mode)))
	}
	if c.Promise != "" {
		h.Write([]byte("\x00" + c.Promise))
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// bodyOf is what the message of a call has in its body: the arguments, or the
// members of a join.
func bodyOf(c *deferred.Call) deferred.Content {
	if c.Join == nil {
		return c.Args
	}
	data, _ := json.Marshal(append([]deferred.ID{}, c.Join.Members...)) // strings
	return deferred.JSON(data)
}

// message gives the carrier of a call that was checked.
func message(c *deferred.Call, route driver.Route) (driver.Message, error) {
	h := map[string]string{}
	args := bodyOf(c)
	if args.Type != "" {
		h[HeaderContentType] = args.Type
	}
	putTime(h, HeaderNotBefore, c.NotBefore)
	putTime(h, HeaderBeginBy, c.BeginBy)
	putTime(h, HeaderDeadline, c.Deadline)
	putSpan(h, HeaderDelay, c.Delay)
	putSpan(h, HeaderTimeout, c.Timeout)
	putSpan(h, HeaderKeep, c.Keep)
	if c.Join != nil {
		h[HeaderJoin] = string(c.Join.Mode)
		if c.Join.CancelRest {
			h[HeaderCancelRest] = "true"
		}
	}
	if c.Promise != "" {
		h[HeaderPromise] = c.Promise
	}
	if c.Retries != 0 {
		h[HeaderRetries] = strconv.Itoa(c.RetryLimit())
	}
	if c.After != nil {
		h[HeaderAfter], h[HeaderOn] = string(c.After.Parent), string(c.After.On)
		if len(c.After.Kinds) > 0 {
			data, err := headerJSON(c.After.Kinds)
			if err != nil {
				return driver.Message{}, fmt.Errorf("dispatch: kinds: %w", err)
			}
			h[HeaderKinds] = string(data)
		}
	}
	if len(c.Labels) > 0 {
		data, err := headerJSON(c.Labels)
		if err != nil {
			return driver.Message{}, fmt.Errorf("dispatch: labels: %w", err)
		}
		h[HeaderLabels] = string(data)
	}
	if len(c.Callbacks) > 0 {
		data, err := deferred.MarshalCallbacks(c.Callbacks)
		if err != nil {
			return driver.Message{}, fmt.Errorf("dispatch: callbacks: %w", err)
		}
		h[HeaderCallbacks] = string(data)
	}
	asciiOf(h)
	if route == driver.Commands {
		h[HeaderQueue], h[HeaderName] = c.QueueName(), c.Name
		return driver.Message{Route: route, Verb: driver.VerbJoin, ID: c.ID, Header: h, Body: args.Data}, nil
	}
	return driver.Message{Route: route, Queue: c.QueueName(), Name: c.Name, ID: c.ID, Header: h, Body: args.Data}, nil
}

// headerJSON is json.Marshal without the escapes for HTML, which nobody reads there
// and which make a header several times as large as what was checked.
func headerJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimRight(b.Bytes(), "\n"), err
}

// bringsCall reports whether the message brings a call, and is no word about one.
func bringsCall(m *driver.Message) bool {
	return m.Route != driver.Aside && (m.Route != driver.Commands || m.Verb == driver.VerbJoin)
}

// callNames gives the queue and the name of the call that a message brings.
func callNames(m *driver.Message) (queue, name string) {
	if m.Route == driver.Commands {
		return cmp.Or(m.Header[HeaderQueue], deferred.DefaultQueue), m.Header[HeaderName]
	}
	return m.Queue, m.Name
}

func putTime(h map[string]string, key string, t time.Time) {
	if !t.IsZero() {
		h[key] = t.UTC().Format(time.RFC3339Nano)
	}
}

func putSpan(h map[string]string, key string, d time.Duration) {
	if d > 0 {
		h[key] = d.String()
	}
}

// again gives the message that carries the call on, to a route.
func (c *carried) again(route driver.Route) (driver.Message, error) {
	m, err := message(&c.Call, route)
	putTime(m.Header, HeaderSubmitted, c.submitted)
	putTime(m.Header, HeaderDue, c.due)
	return m, err
}
