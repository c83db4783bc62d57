package wire

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
)

// bodyOf is the body of a call's message: the arguments, or the members of a join.
func bodyOf(c *deferred.Call) deferred.Content {
	if c.Join == nil {
		return c.Args
	}
	data, _ := json.Marshal(append([]deferred.ID{}, c.Join.Members...)) // strings
	return deferred.JSON(data)
}

// Encode gives the message of a call that Call.Check has passed.
func Encode(c *deferred.Call, route driver.Route) (driver.Message, error) {
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
	SpellInASCII(h)
	if route == driver.Commands {
		h[HeaderQueue], h[HeaderName] = c.QueueName(), c.Name
		return driver.Message{Route: route, Verb: driver.VerbJoin, ID: c.ID, Header: h, Body: args.Data}, nil
	}
	return driver.Message{Route: route, Queue: c.QueueName(), Name: c.Name, ID: c.ID, Header: h, Body: args.Data}, nil
}

// headerJSON is json.Marshal without the escapes for HTML: they would make a header
// several times as large as the value that Call.Check has measured.
func headerJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimRight(b.Bytes(), "\n"), err
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
