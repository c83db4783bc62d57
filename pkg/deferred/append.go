package deferred

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// A record is written twice for each call that is performed. So its form is
// written by hand; a test holds it to what encoding/json makes of [recordJSON].

// MarshalJSON gives the stored form of the record. Who writes many records uses
// AppendJSON: encoding/json reads all of what a Marshaler gives it once more.
func (r Record) MarshalJSON() ([]byte, error) { return r.AppendJSON(nil) }

// AppendJSON appends the stored form of the record to b. It fails only on times
// that have no JSON form.
func (r *Record) AppendJSON(b []byte) ([]byte, error) {
	o := object{b: slices.Grow(b, r.roughSize())}
	o.b = append(o.b, '{')
	o.must("id", string(r.ID))
	o.text("name", r.Name)
	o.text("queue", r.Queue)
	o.must("state", string(r.State))
	o.number("attempt", r.Attempt)
	if r.Counts != (Counts{}) {
		o.other("counts", r.Counts)
	}
	o.number("retries", r.Retries)
	o.key("seen")
	o.b = strconv.AppendBool(o.b, r.Seen)
	o.token(r.Token)
	o.text("digest", r.Digest)
	o.time("submitted", r.Submitted)
	o.time("not_before", r.NotBefore)
	o.time("begin_by", r.BeginBy)
	o.time("deadline", r.Deadline)
	o.time("started", r.Started)
	o.time("settled", r.Settled)
	o.text("timeout", span(r.Timeout))
	o.text("keep", span(r.Keep))
	o.time("needed", r.Needed)
	o.relations(r)
	o.mark("skipped", r.Skipped)
	o.mark("handled", r.Handled)
	o.text("settled_by", r.SettledBy)
	if r.Obeyed != 0 {
		o.key("obeyed")
		o.b = strconv.AppendUint(o.b, r.Obeyed, 10)
	}
	o.text("hold_reason", r.HoldReason)
	o.mark("carried", r.Carried)
	o.content("args", r.Args)
	o.content("result", r.Result)
	if r.Failure != nil {
		o.other("failure", r.Failure)
	}
	o.text("result_of", string(r.ResultOf))
	o.mark("holds", r.Holds)
	return append(o.b, '}'), o.err
}

// roughSize is enough for most records, so that they are allocated once.
func (r *Record) roughSize() int {
	return 448 + base64.StdEncoding.EncodedLen(len(r.Args.Data)+len(r.Result.Data))
}

// relations writes what few records have.
func (o *object) relations(r *Record) {
	if len(r.Labels) > 0 {
		o.other("labels", r.Labels)
	}
	if len(r.Callbacks) > 0 {
		forms := make([]callJSON, len(r.Callbacks))
		for i := range r.Callbacks {
			forms[i] = r.Callbacks[i].form()
		}
		o.other("callbacks", forms)
	}
	if r.Parent != nil {
		o.other("parent", r.Parent)
	}
	if r.Waits != nil {
		o.other("waits", r.Waits)
	}
	o.text("promise", r.Promise)
}

// An object is a JSON object in the making. It keeps its first error.
type object struct {
	b   []byte
	err error
}

// key begins a member. Keys are plain ASCII, known here.
func (o *object) key(key string) {
	if o.b[len(o.b)-1] != '{' {
		o.b = append(o.b, ',')
	}
	o.b = append(o.b, '"')
	o.b = append(o.b, key...)
	o.b = append(o.b, '"', ':')
}

// must writes a text even if it is empty.
func (o *object) must(key, s string) {
	o.key(key)
	o.b = appendString(o.b, s)
}

func (o *object) text(key, s string) {
	if s != "" {
		o.must(key, s)
	}
}

// mark writes what is true, and nothing of what is not.
func (o *object) mark(key string, set bool) {
	if set {
		o.key(key)
		o.b = strconv.AppendBool(o.b, true)
	}
}

func (o *object) number(key string, n int) {
	o.key(key)
	o.b = strconv.AppendInt(o.b, int64(n), 10)
}

func (o *object) time(key string, t time.Time) {
	if t.IsZero() {
		return
	}
	t = t.UTC()
	if y := t.Year(); (y < 0 || y > 9999) && o.err == nil {
		o.err = fmt.Errorf("deferred: record: the year %d of %s has no JSON form", y, key)
	}
	o.key(key)
	o.b = append(o.b, '"')
	o.b = t.AppendFormat(o.b, time.RFC3339Nano)
	o.b = append(o.b, '"')
}

func (o *object) token(t Token) {
	if t == (Token{}) {
		return
	}
	o.key("token")
	o.b = append(o.b, '{')
	o.must("worker", t.Worker)
	o.number("attempt", t.Attempt)
	o.b = append(o.b, '}')
}

func (o *object) content(key string, c Content) {
	if c.IsZero() {
		return
	}
	o.key(key)
	var contentType string
	if o.b, contentType = appendContent(o.b, c); contentType != "" {
		o.must(key+"_type", contentType)
	}
}

func (o *object) other(key string, v any) {
	data, err := encodeJSON(v)
	if err != nil && o.err == nil {
		o.err = fmt.Errorf("deferred: record: %s: %w", key, err)
	}
	o.key(key)
	o.b = append(o.b, data...)
}

// appendString appends s quoted. Nearly every string of a record is plain.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			quoted, _ := encodeJSON(s) // a string has no way to fail
			return append(b, quoted...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}
