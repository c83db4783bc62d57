package jetstream

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
)

// names spells the streams, buckets and subjects of a namespace.
type names struct {
	prefix string // prefix of subjects: "zasync."
	upper  string // prefix of streams: "ZASYNC_"
	away   string // API prefix of another domain or account: "$JS.hub.API."; "" for the own one
}

func newNames(c *Config) names {
	n := names{prefix: c.Namespace + ".", upper: strings.ToUpper(c.Namespace) + "_"}
	switch {
	case c.Domain != "":
		n.away = "$JS." + c.Domain + ".API."
	case c.APIPrefix != "":
		n.away = strings.TrimSuffix(c.APIPrefix, ".") + "."
	}
	return n
}

// api is the subject of a request to JetStream.
func (n names) api(operation string) string { return cmp.Or(n.away, "$JS.API.") + operation }

func (n names) queue() string { return n.upper + "QUEUE" }
func (n names) delay() string { return n.upper + "DELAY" }
func (n names) aside() string { return n.upper + "ASIDE" }

// stream is the stream that keeps the messages of a route.
func (n names) stream(r driver.Route) string {
	switch r {
	case driver.Delay, driver.Due:
		return n.delay()
	case driver.Aside:
		return n.aside()
	}
	return n.queue()
}

// on joins tokens to a subject of a route.
func (n names) on(r driver.Route, tokens ...string) string {
	return n.prefix + string(r) + "." + strings.Join(tokens, ".")
}

// subject is the subject to which a message is published. It checks every token: a
// wildcard or a blank in one would reach other messages, or break the protocol.
func (n names) subject(m *driver.Message) (string, error) {
	switch m.Route {
	case driver.Ready, driver.Later:
		if m.ID == "" {
			return n.on(m.Route, m.Queue, m.Name), checkCall(m.Queue, m.Name)
		}
		return n.on(m.Route, m.Queue, m.Name, string(m.ID)), first(checkCall(m.Queue, m.Name), m.ID.Check())
	case driver.Delay:
		return n.on(m.Route, string(m.ID)), first(checkCall(m.Queue, m.Name), m.ID.Check())
	case driver.Commands:
		return n.on(m.Route, m.Verb, string(m.ID)), first(checkVerb(m.Verb), m.ID.Check())
	case driver.Aside:
		return n.on(m.Route, m.Verb), checkVerb(m.Verb)
	}
	return "", fmt.Errorf("jetstream: nothing can be put on the route %q", m.Route)
}

func checkCall(queue, name string) error {
	return first(deferred.CheckQueue(queue), deferred.CheckName(name))
}

func checkVerb(verb string) error {
	if deferred.ID(verb).Check() != nil {
		return fmt.Errorf("jetstream: %q must be 1 to 64 letters, digits, \"_\" and \"-\"", verb)
	}
	return nil
}

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// read fills in what the subject of a message with a sequence says. Any client can
// publish, so nothing is certain. A field that read cannot read stays as it is, and the
// queue sets the message aside. Between name and id the subject may have a shard.
func (n names) read(subject string, d *driver.Delivery) {
	rest, _ := strings.CutPrefix(subject, n.prefix)
	route, rest, _ := strings.Cut(rest, ".")
	d.Route = driver.Route(route)
	id := ""
	switch d.Route {
	case driver.Ready, driver.Later, driver.Due:
		d.Queue, rest, _ = strings.Cut(rest, ".")
		d.Name, rest, _ = strings.Cut(rest, ".")
		id = rest[strings.LastIndexByte(rest, '.')+1:]
	case driver.Commands:
		d.Verb, id, _ = strings.Cut(rest, ".")
	case driver.Aside:
		d.Verb = rest
	default:
		id = rest
	}
	if id == "" || id == unnumbered && d.Route == driver.Ready {
		id = strconv.FormatUint(d.Seq, 10)
	}
	d.ID = deferred.ID(id)
}

// unnumbered is the id token of a call that the server numbers. The stream maps
// zasync.q.*.* to zasync.q.*.*.-, so that a lane needs one filter for both kinds of
// calls.
const unnumbered = "-"

// filter selects the messages of a page. It may let other messages pass too.
func (n names) filter(p *driver.Page) string {
	queue, name := p.Queue, p.Name
	if checkCall(queue, "x") != nil {
		queue = "*"
	}
	if deferred.CheckName(name) != nil {
		name = "*"
	}
	switch {
	case p.Route == driver.Ready || p.Route == driver.Due:
		return n.on(p.Route, queue, name, ">")
	case p.Route == driver.Later && queue != "*":
		return n.on(p.Route, queue, ">") // the last token is the name or the id
	}
	return n.on(p.Route, ">")
}

// durable is the name of a lane's consumer. A consumer's name may not contain "/", but a
// call's name may. A call's name may contain neither "=" nor "+".
func durable(l driver.Lane) string {
	if l.Route != driver.Ready {
		return string(l.Route)
	}
	return strings.ReplaceAll(l.Queue+"+"+l.Name, "/", "=")
}

// laneFilter is the filter of a lane's consumer. It is one filter: two filters cost the
// server more than twice as much for each message.
func (n names) laneFilter(l driver.Lane) string {
	if l.Route != driver.Ready {
		return n.on(l.Route, ">")
	}
	return n.on(l.Route, l.Queue, l.Name, ">")
}
