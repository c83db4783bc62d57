package dispatch

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"zasync/pkg/deferred"
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
	HeaderOn          = "Zasync-On"         // success, failure or both
)

// The headers that only workers write.
const (
	HeaderSubmitted = "Zasync-Submitted" // when the server stored the first message of the call
	HeaderDue       = "Zasync-Due"       // when a parked message is to stand in the queue again
	HeaderReason    = "Zasync-Reason"    // why a message was set aside
	HeaderSubject   = "Zasync-Subject"   // what a message that was set aside was sent as
)

// carried is a call as a message carries it.
type carried struct {
	deferred.Call           // NotBefore includes the delay
	submitted     time.Time // by the server's clock
	due           time.Time // when it was parked for, if it was
}

// digest tells two calls under one id apart: name, codec and arguments.
func (c *carried) digest() string { return digest(&c.Call) }

func digest(c *deferred.Call) string {
	h := sha256.New()
	for _, s := range []string{c.Name, c.Args.Type} {
		h.Write([]byte(s))
		h.Write([]byte{0})
	}
	h.Write(c.Args.Data)
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// message gives the carrier of a call that was checked.
func message(c *deferred.Call, route Route) (Message, error) {
	h := map[string]string{}
	if c.Args.Type != "" {
		h[HeaderContentType] = c.Args.Type
	}
	putTime(h, HeaderNotBefore, c.NotBefore)
	putTime(h, HeaderBeginBy, c.BeginBy)
	if c.Delay > 0 {
		h[HeaderDelay] = c.Delay.String()
	}
	if c.Retries != 0 {
		h[HeaderRetries] = strconv.Itoa(c.RetryLimit())
	}
	if c.After != nil {
		h[HeaderAfter], h[HeaderOn] = string(c.After.Parent), string(c.After.On)
	}
	if len(c.Labels) > 0 {
		data, err := json.Marshal(c.Labels)
		if err != nil {
			return Message{}, fmt.Errorf("dispatch: labels: %w", err)
		}
		h[HeaderLabels] = string(data)
	}
	if len(c.Callbacks) > 0 {
		data, err := deferred.MarshalCallbacks(c.Callbacks)
		if err != nil {
			return Message{}, fmt.Errorf("dispatch: callbacks: %w", err)
		}
		h[HeaderCallbacks] = string(data)
	}
	return Message{Route: route, Queue: c.QueueName(), Name: c.Name, ID: c.ID, Header: h, Body: c.Args.Data}, nil
}

func putTime(h map[string]string, key string, t time.Time) {
	if !t.IsZero() {
		h[key] = t.UTC().Format(time.RFC3339Nano)
	}
}

// again gives the message that carries the call on, to a route.
func (c *carried) again(route Route) (Message, error) {
	m, err := message(&c.Call, route)
	putTime(m.Header, HeaderSubmitted, c.submitted)
	putTime(m.Header, HeaderDue, c.due)
	return m, err
}
