package jetstream_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"zasync/pkg/dispatch/jetstream"

	natsjs "github.com/nats-io/nats.go/jetstream"
)

// alteration is a change to one of the streams, by hand.
type alteration struct {
	stream  string // after the namespace
	setting string // that is refused
	alter   func(*natsjs.StreamConfig)
}

var refused = []alteration{
	{"QUEUE", "retention", func(c *natsjs.StreamConfig) { c.Retention = natsjs.LimitsPolicy }},
	{"KV_STATE", "storage", func(c *natsjs.StreamConfig) { c.Storage = natsjs.MemoryStorage }},
	{"QUEUE", "subjects", func(c *natsjs.StreamConfig) { c.Subjects = append(c.Subjects, c.Name+".more") }},
	{"QUEUE", "subjects", func(c *natsjs.StreamConfig) { c.Subjects = c.Subjects[:5] }},
	{"QUEUE", "discard", func(c *natsjs.StreamConfig) { c.Discard = natsjs.DiscardOld }},
	{"KV_STATE", "discard_new_per_subject", func(c *natsjs.StreamConfig) { c.DiscardNewPerSubject = true }},
	{"DELAY", "max_msgs", func(c *natsjs.StreamConfig) { c.MaxMsgs = 1000 }},
	{"DELAY", "max_bytes", func(c *natsjs.StreamConfig) { c.MaxBytes = 1 << 20 }},
	{"ASIDE", "max_bytes", func(c *natsjs.StreamConfig) { c.MaxBytes = 1 << 19 }},
	{"QUEUE", "max_age", func(c *natsjs.StreamConfig) { c.MaxAge = time.Hour }},
	{"ASIDE", "max_age", func(c *natsjs.StreamConfig) { c.MaxAge = time.Hour }},
	{"KV_WORKERS", "max_age", func(c *natsjs.StreamConfig) { c.MaxAge = time.Hour }},
	{"QUEUE", "max_msgs_per_subject", func(c *natsjs.StreamConfig) { c.MaxMsgsPerSubject = 1 }},
	{"KV_NOTES", "max_msgs_per_subject", func(c *natsjs.StreamConfig) { c.MaxMsgsPerSubject = 5 }},
	{"QUEUE", "max_msg_size", func(c *natsjs.StreamConfig) { c.MaxMsgSize = 1000 }},
	{"KV_STATE", "no_ack", func(c *natsjs.StreamConfig) { c.NoAck = true }},
	{"QUEUE", "sealed", func(c *natsjs.StreamConfig) { c.Sealed = true }},
	{"ASIDE", "mirror", func(c *natsjs.StreamConfig) {
		c.Subjects, c.Mirror = nil, &natsjs.StreamSource{Name: "KEPT"}
	}},
	{"KV_STATE", "sources", func(c *natsjs.StreamConfig) { c.Sources = []*natsjs.StreamSource{{Name: "KEPT"}} }},
	{"QUEUE", "first_seq", func(c *natsjs.StreamConfig) { c.FirstSeq = 0 }},
	{"QUEUE", "subject_transform", func(c *natsjs.StreamConfig) { c.SubjectTransform = nil }},
	{"KV_STATE", "republish", func(c *natsjs.StreamConfig) { c.RePublish = nil }},
	{"KV_NOTES", "republish", func(c *natsjs.StreamConfig) { c.RePublish.HeadersOnly = true }},
	{"KV_STATE", "allow_direct", func(c *natsjs.StreamConfig) { c.AllowDirect = false }},
	{"KV_STATE", "deny_delete", func(c *natsjs.StreamConfig) { c.DenyDelete = false }},
	{"QUEUE", "allow_rollup_hdrs", func(c *natsjs.StreamConfig) { c.AllowRollup = true }},
	{"KV_STATE", "allow_rollup_hdrs", func(c *natsjs.StreamConfig) { c.AllowRollup = true }},
	{"KV_STATE", "subject_delete_marker_ttl", func(c *natsjs.StreamConfig) { c.SubjectDeleteMarkerTTL = time.Minute }},
	{"KV_STATE", "allow_msg_ttl", func(c *natsjs.StreamConfig) { c.AllowMsgTTL = false }},
	{"QUEUE", "allow_msg_ttl", func(c *natsjs.StreamConfig) { c.AllowMsgTTL = true }},
	{"DELAY", "allow_msg_schedules", func(c *natsjs.StreamConfig) { c.AllowMsgSchedules = false }},
	{"ASIDE", "allow_msg_counter", func(c *natsjs.StreamConfig) { c.AllowMsgCounter = true }},
	{"KV_STATE", "persist_mode", func(c *natsjs.StreamConfig) { c.PersistMode = natsjs.AsyncPersistMode }},
	{"QUEUE", "consumer_limits", func(c *natsjs.StreamConfig) { c.ConsumerLimits.MaxAckPending = 100 }},
	{"QUEUE", "num_replicas", nil}, // a single server keeps one; three are asked for
	{"DELAY", "deny_purge", func(c *natsjs.StreamConfig) { c.AllowRollup, c.DenyPurge = true, true }},
}

// impossible: what the server refuses to make by itself.
var impossible = map[string]bool{"DELAY deny_purge": true}

func TestStreamWithAWeakerSettingIsRefused(t *testing.T) {
	for _, a := range refused {
		t.Run(a.stream+"/"+a.setting, func(t *testing.T) {
			p := settle(t)
			if a.alter == nil {
				p.config.Replicas = 3
			} else if !p.replace(t, a) {
				return
			}
			_, _, err := jetstream.OpenPair(t.Context(), p.nc, p.config)
			var refusal *jetstream.SettingError
			if !errors.As(err, &refusal) || refusal.Setting != a.setting || refusal.Have == refusal.Want {
				t.Fatalf("got %v, want a refusal of %s", err, a.setting)
			}
			name := p.stream(a.stream)
			for _, part := range []string{name, a.setting, refusal.Have, refusal.Want, "nats stream"} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q does not say %q", err, part)
				}
			}
		})
	}
}

func (p *place) stream(suffix string) string {
	if bucket, ok := strings.CutPrefix(suffix, "KV_"); ok {
		return "KV_" + p.upper() + "_" + bucket
	}
	return p.upper() + "_" + suffix
}

// replace makes a stream anew, altered. It reports false if the server refuses
// that by itself, as it must where that is said to be impossible.
func (p *place) replace(t *testing.T, a alteration) bool {
	t.Helper()
	ctx, name := t.Context(), p.stream(a.stream)
	stream, err := p.js.Stream(ctx, name)
	if err != nil {
		t.Fatal(err)
	}
	c := stream.CachedInfo().Config
	if err := p.js.DeleteStream(ctx, name); err != nil {
		t.Fatal(err)
	}
	plain := c
	a.alter(&c)
	if c.Sealed { // no stream begins so
		if _, err := p.js.CreateStream(ctx, plain); err != nil {
			t.Fatal(err)
		}
		_, err = p.js.UpdateStream(ctx, c)
	} else {
		_, err = p.js.CreateStream(ctx, c)
	}
	if impossible[a.stream+" "+a.setting] {
		var refusal *natsjs.APIError
		if !errors.As(err, &refusal) {
			t.Fatalf("alter %s: %v, want the server's own refusal", name, err)
		}
		return false
	}
	if err != nil {
		t.Fatalf("alter %s: %v", name, err)
	}
	return true
}

func TestStreamWithAHarmlessDifferenceIsAccepted(t *testing.T) {
	for what, a := range map[string]alteration{
		"limit of a stream that refuses": {"QUEUE", "", func(c *natsjs.StreamConfig) { c.MaxBytes, c.MaxMsgs = 1<<30, 1e6 }},
		"fewer bytes":                    {"ASIDE", "", func(c *natsjs.StreamConfig) { c.MaxBytes = 1 << 20 }},
		"more bytes":                     {"ASIDE", "", func(c *natsjs.StreamConfig) { c.MaxBytes = 1 << 30 }},
		"no limit":                       {"ASIDE", "", func(c *natsjs.StreamConfig) { c.MaxBytes, c.MaxAge = -1, 0 }},
		"description":                    {"QUEUE", "", func(c *natsjs.StreamConfig) { c.Description = "ours" }},
		"compression":                    {"KV_STATE", "", func(c *natsjs.StreamConfig) { c.Compression = natsjs.S2Compression }},
		"large messages":                 {"QUEUE", "", func(c *natsjs.StreamConfig) { c.MaxMsgSize = 4 << 20 }},
		"batches":                        {"QUEUE", "", func(c *natsjs.StreamConfig) { c.AllowAtomicPublish = true }},
		"earlier first sequence":         {"QUEUE", "", func(c *natsjs.StreamConfig) { c.FirstSeq -= 1e12 }},
		"no roll-up":                     {"KV_CONFIG", "", func(c *natsjs.StreamConfig) { c.AllowRollup = false }},
		"purge denied":                   {"KV_STATE", "", func(c *natsjs.StreamConfig) { c.DenyPurge = true }},
		"stored otherwise":               {"QUEUE", "", func(c *natsjs.StreamConfig) { c.RePublish = &natsjs.RePublish{Destination: c.Name + "copy.>"} }},
	} {
		t.Run(what, func(t *testing.T) {
			p := settle(t)
			p.replace(t, a)
			p.open(t)
		})
	}
}

func TestManyProgramsMayOpenANamespaceAtOnce(t *testing.T) {
	p := claim(t)
	var all sync.WaitGroup
	for range 8 {
		nc := connect(t)
		all.Go(func() {
			if _, _, err := jetstream.OpenPair(t.Context(), nc, p.config); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

func TestNamespaceMustBeOneToken(t *testing.T) {
	nc := connect(t)
	for _, bad := range []string{"a.b", "a*", ">", "a b", "é", strings.Repeat("a", 33)} {
		if _, _, err := jetstream.OpenPair(t.Context(), nc, jetstream.Config{Namespace: bad}); err == nil {
			t.Errorf("namespace %q was accepted", bad)
		}
	}
}

// Numbered ids must not come again when the stream is made anew, and must be
// exact numbers in JavaScript.
func TestNumbersStayUniqueWhenTheStreamIsMadeAnew(t *testing.T) {
	p := settle(t)
	put := func() uint64 {
		ack, err := p.js.Publish(t.Context(), p.config.Namespace+".q.default.greet", nil)
		if err != nil {
			t.Fatal(err)
		}
		return ack.Sequence
	}
	first := put()
	if err := p.js.DeleteStream(context.Background(), p.stream("QUEUE")); err != nil {
		t.Fatal(err)
	}
	p.config.Remake = true
	p.open(t)
	if second := put(); second <= first || second >= 1<<53 {
		t.Fatalf("number %d follows %d", second, first)
	}
}
