package plainworker

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"maps"
	"strconv"
	"strings"
	"time"

	natsjs "github.com/nats-io/nats.go/jetstream"
)

// record is the JSON of a record, so that fields that are not known stay in it.
type record map[string]any

func (r record) number(path ...string) int {
	for _, p := range path[:len(path)-1] {
		next, _ := r[p].(map[string]any)
		r = next
	}
	n, _ := r[path[len(path)-1]].(float64)
	return int(n)
}

func (r record) owner() string {
	token, _ := r["token"].(map[string]any)
	s, _ := token["worker"].(string)
	return s
}

// call is a message and the record that stands under its id.
type call struct {
	natsjs.Msg
	id       string
	digest   string
	stored   time.Time // the first message of the call, by the server's clock
	record   record
	revision uint64
}

var errFenced = errors.New("plainworker: the call is another's now")

// perform does what the message asks for, and reports whether its duty is done.
func (w *Worker) perform(ctx context.Context, m natsjs.Msg) (done bool, err error) {
	c, err := w.look(ctx, m)
	if err != nil {
		return false, err
	}
	if settled, mine := w.judge(ctx, c); !mine {
		return settled, nil
	}
	if err := w.claim(ctx, c); err != nil {
		return false, nil //nolint:nilerr // a conflict: to be looked at again
	}
	result, failure := w.Perform(m.Data())
	return w.commit(ctx, c, result, failure)
}

func (w *Worker) look(ctx context.Context, m natsjs.Msg) (*call, error) {
	meta, err := m.Metadata()
	if err != nil {
		return nil, err
	}
	w.observe(meta.Timestamp)
	c := &call{Msg: m, stored: meta.Timestamp, id: m.Subject()[strings.LastIndexByte(m.Subject(), '.')+1:]}
	sum := sha256.Sum256([]byte(w.Name + "\x00application/json\x00" + string(m.Data())))
	c.digest = hex.EncodeToString(sum[:16])
	if c.id == "-" {
		c.id = strconv.FormatUint(meta.Sequence.Stream, 10)
	}
	if s := m.Headers().Get("Zasync-Submitted"); s != "" {
		if c.stored, err = time.Parse(time.RFC3339Nano, s); err != nil {
			return nil, err
		}
	}
	stored, err := w.read(ctx, "STATE", c.id)
	if err != nil || stored == nil {
		return c, err
	}
	if c.revision, err = strconv.ParseUint(stored.Header.Get("Nats-Sequence"), 10, 64); err != nil {
		return nil, err
	}
	return c, json.Unmarshal(stored.Data, &c.record)
}

// judge is the table of what a message means, as far as this worker knows it.
func (w *Worker) judge(ctx context.Context, c *call) (settled, mine bool) {
	r := c.record
	switch {
	case !c.plain():
		return false, false
	case r == nil:
		return false, c.Headers().Get("Zasync-Due") == ""
	case r["seen"] != true || r["digest"] != c.digest || r["callbacks"] != nil || r["parent"] != nil || r["carried"] != nil:
		return false, false
	}
	switch r["state"] {
	case "succeeded", "failed", "cancelled", "expired":
		return true, false
	case "scheduled":
		s, _ := r["not_before"].(string)
		due, err := time.Parse(time.RFC3339Nano, s)
		return false, err == nil && !w.now().Before(due)
	case "pending":
		return false, r["not_before"] == nil
	case "running":
		return false, r.owner() == w.Incarnation || r.number("counts", "deaths")+1 < maxDeaths && w.dead(ctx, r.owner())
	}
	return false, false
}

// plain reports whether the message asks for no more than this worker knows.
func (c *call) plain() bool {
	for key := range c.Headers() {
		switch key {
		case "Zasync-Retries", "Zasync-Submitted", "Zasync-Due":
		default:
			if strings.HasPrefix(strings.ToLower(key), "zasync-") {
				return false
			}
		}
	}
	t := c.Headers().Get("Content-Type")
	return (t == "" || t == "application/json") && json.Valid(c.Data())
}

// claim writes that this worker performs the call, over the record it has read.
func (w *Worker) claim(ctx context.Context, c *call) error {
	r := maps.Clone(c.record)
	if r == nil {
		r = record{
			"id": c.id, "name": w.Name, "queue": w.Queue, "seen": true, "submitted": c.stored, "retries": 10,
			"digest": c.digest,
		}
		if s := c.Headers().Get("Zasync-Retries"); s != "" {
			r["retries"], _ = strconv.ParseFloat(s, 64)
		}
	}
	if r["state"] == "running" && r.owner() != w.Incarnation {
		count(r, "deaths")
	}
	r["state"], r["attempt"], r["started"] = "running", float64(r.number("attempt")+1), w.now()
	r["token"] = map[string]any{"worker": w.Incarnation, "attempt": r["attempt"]}
	delete(r, "failure")
	delete(r, "not_before")
	return w.store(ctx, c, r)
}

// commit writes how it ended while the token is still this worker's, and does
// what follows.
func (w *Worker) commit(ctx context.Context, c *call, result json.RawMessage, failure error) (done bool, err error) {
	r := maps.Clone(c.record)
	if failure == nil {
		r["state"], r["result"], r["settled"] = "succeeded", result, w.now()
		return true, w.store(ctx, c, r, "Nats-TTL", "3600")
	}
	count(r, "failures")
	r["failure"] = map[string]any{"kind": "error", "message": failure.Error(), "attempt": r["attempt"], "worker": "plain"}
	if limit, _ := r["retries"].(float64); float64(r.number("counts", "failures")) > limit {
		r["state"], r["args"], r["settled"] = "failed", json.RawMessage(c.Data()), w.now()
		return true, w.store(ctx, c, r, "Nats-TTL", "604800")
	}
	due := w.now().Add(retryAfter)
	r["state"], r["not_before"] = "scheduled", due
	if err := w.store(ctx, c, r); err != nil {
		return false, err
	}
	return true, w.park(ctx, c, due)
}

// store is a compare-and-set. An answer that is lost is not read back here: the
// worker lets go, and the record says what was stored when the call is met again.
func (w *Worker) store(ctx context.Context, c *call, r record, headers ...string) error {
	data, err := json.Marshal(r)
	if err != nil {
		return err
	}
	headers = append(headers, "Nats-Expected-Last-Subject-Sequence", strconv.FormatUint(c.revision, 10))
	revision, err := w.write(ctx, "$KV.ZASYNC_STATE."+c.id, data, headers...)
	if err != nil {
		return errors.Join(errFenced, err)
	}
	c.revision = revision
	return json.Unmarshal(data, &c.record)
}

// park stores the schedule that replaces the message.
func (w *Worker) park(ctx context.Context, c *call, due time.Time) error {
	headers := []string{
		"Nats-Schedule", "@at " + due.Add(-fireEarly).Format(time.RFC3339Nano),
		"Nats-Schedule-Target", "zasync.due." + w.Queue + "." + w.Name + "." + c.id,
		"Zasync-Submitted", c.stored.UTC().Format(time.RFC3339Nano), "Zasync-Due", due.Format(time.RFC3339Nano),
	}
	for _, key := range []string{"Content-Type", "Zasync-Retries"} {
		if s := c.Headers().Get(key); s != "" {
			headers = append(headers, key, s)
		}
	}
	_, err := w.write(ctx, "zasync.at."+c.id, c.Data(), headers...)
	return err
}

func count(r record, cause string) {
	counts, _ := r["counts"].(map[string]any)
	counts = maps.Clone(counts)
	if counts == nil {
		counts = map[string]any{}
	}
	n, _ := counts[cause].(float64)
	counts[cause] = n + 1
	r["counts"] = counts
}
