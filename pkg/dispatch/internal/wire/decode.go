package wire

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
)

// Decode reads the call that a delivery carries. An error names the header and the rule
// that it breaks, for its sender.
func Decode(d *driver.Delivery) (*Call, error) {
	c := &Call{Submitted: d.Time}
	c.Queue, c.Name = CallNames(&d.Message)
	c.ID = d.ID
	c.Args = body(d)
	p := parser{header: d.Header, command: d.Route == driver.Commands}
	c.NotBefore, c.BeginBy = p.time(HeaderNotBefore), p.time(HeaderBeginBy)
	if t := p.time(HeaderSubmitted); !t.IsZero() {
		c.Submitted = believable(t, d.Time)
	}
	c.Due = p.time(HeaderDue)
	c.Deadline = p.time(HeaderDeadline)
	c.Delay, c.Timeout, c.Keep = p.duration(HeaderDelay), p.duration(HeaderTimeout), p.duration(HeaderKeep)
	c.Promise = d.Header[HeaderPromise]
	p.join(c)
	c.Retries = p.retries()
	c.After = p.after()
	p.json(HeaderLabels, &c.Labels, "object of strings")
	if s := d.Header[HeaderCallbacks]; s != "" {
		var err error
		if c.Callbacks, err = deferred.UnmarshalCallbacks([]byte(s)); err != nil {
			p.fail(HeaderCallbacks, "is not a JSON array of callbacks: "+err.Error())
		}
	}
	p.known()
	if p.err != nil {
		return nil, p.err
	}
	if err := c.CheckSent(); err != nil {
		return nil, err
	}
	if c.Delay > 0 { // make it an absolute time: the next message of the call has a later stamp
		if t := c.Submitted.Add(c.Delay); t.After(c.NotBefore) {
			c.NotBefore = t
		}
		if c.NotBefore.Year() > 2200 {
			return nil, &deferred.InputError{Field: deferred.FieldDelay, Value: p.header[HeaderDelay], Rule: "ends after the year 2200"}
		}
		c.Delay = 0
	}
	return c, nil
}

// believable clamps a time of submission, which any client may write: not after the
// server stored the message, nor earlier than the longest delay before that.
func believable(said, stored time.Time) time.Time {
	earliest := stored.Add(-deferred.MaxDelay)
	switch {
	case stored.IsZero():
		return said
	case said.After(stored):
		return stored
	case said.Before(earliest):
		return earliest
	}
	return said
}

func body(d *driver.Delivery) deferred.Content {
	t := d.Header[HeaderContentType]
	switch {
	case t != "":
		return deferred.Content{Type: t, Data: d.Body}
	case len(d.Body) == 0:
		return deferred.Content{}
	}
	if c := deferred.JSON(d.Body); c.Check() == nil {
		return c
	}
	return deferred.Content{Type: deferred.TypeBytes, Data: d.Body}
}

// A parser reads headers and keeps the first error.
type parser struct {
	header  map[string]string
	command bool // the message came as a command
	err     error
}

func (p *parser) fail(key, rule string) {
	if p.err == nil {
		p.err = &deferred.InputError{Field: deferred.Field("header " + key), Value: p.header[key], Rule: rule}
	}
}

func (p *parser) time(key string) time.Time {
	s := p.header[key]
	if s == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		p.fail(key, "is not a time such as 2026-11-23T17:00:00Z")
	} else if y := t.UTC().Year(); y < 1970 || y > 2200 {
		p.fail(key, "must lie between the years 1970 and 2200")
	}
	return t.UTC()
}

func (p *parser) duration(key string) time.Duration {
	s := p.header[key]
	if s == "" {
		return 0
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		p.fail(key, "is not a duration such as 90s or 1h30m")
	}
	return d
}

func (p *parser) retries() int {
	s := p.header[HeaderRetries]
	if s == "" {
		return 0
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		p.fail(HeaderRetries, "is not a number from 0 up")
	}
	if n == 0 {
		return deferred.NoRetries
	}
	return n
}

func (p *parser) after() *deferred.After {
	parent := p.header[HeaderAfter]
	if parent == "" {
		for _, key := range []string{HeaderOn, HeaderKinds} {
			if p.header[key] != "" {
				p.fail(key, "needs "+HeaderAfter+" beside it")
			}
		}
		return nil
	}
	on := deferred.Branch(p.header[HeaderOn])
	if on == "" {
		on = deferred.OnBoth
	}
	a := &deferred.After{Parent: deferred.ID(parent), On: on}
	p.json(HeaderKinds, &a.Kinds, "array of strings")
	return a
}

func (p *parser) json(key string, v any, what string) {
	s := p.header[key]
	if s == "" {
		return
	}
	if err := json.Unmarshal([]byte(s), v); err != nil {
		p.fail(key, "is not a JSON "+what)
	}
}

// join reads the headers of a join. Its members are in the body.
func (p *parser) join(c *Call) {
	mode := p.header[HeaderJoin]
	if !p.command && p.header[HeaderCancelRest] != "" { // else a user with the right to submit could cancel anything
		p.fail(HeaderCancelRest, "is for joins that are submitted to zasync.do.join.<id>")
	}
	if mode == "" {
		if p.command || p.header[HeaderCancelRest] != "" {
			p.fail(HeaderJoin, "is missing: it says which kind of a join this is")
		}
		return
	}
	c.Join = &deferred.Join{Mode: deferred.JoinMode(mode)}
	switch p.header[HeaderCancelRest] {
	case "":
	case "true":
		c.Join.CancelRest = true
	default:
		p.fail(HeaderCancelRest, `must be "true"`)
	}
	if json.Unmarshal(c.Args.Data, &c.Join.Members) != nil {
		p.fail(HeaderJoin, "needs a body that is a JSON array of ids")
	}
	c.Args = deferred.Content{}
}

var knownHeaders = map[string]bool{
	HeaderNotBefore: true, HeaderDelay: true, HeaderBeginBy: true, HeaderRetries: true, HeaderLabels: true,
	HeaderCallbacks: true, HeaderAfter: true, HeaderOn: true, HeaderKinds: true, HeaderDeadline: true, HeaderTimeout: true,
	HeaderKeep: true, HeaderJoin: true, HeaderCancelRest: true, HeaderPromise: true, HeaderSubmitted: true, HeaderDue: true,
}

// known refuses headers that this version does not know. A call that is set aside does
// less harm than a term that is ignored, be it misspelt or newer.
func (p *parser) known() {
	for key := range p.header {
		if p.command && (key == HeaderQueue || key == HeaderName) {
			continue
		}
		if strings.HasPrefix(key, "Zasync-") && !knownHeaders[key] {
			p.fail(key, "is not a header of a call")
		}
	}
}
