package jetstream

import (
	"fmt"
	"strings"

	natsjs "github.com/nats-io/nats.go/jetstream"
)

// A setting is one property of a stream that a promise depends on. Properties that are
// not here may have any value: replicas above the configured number, placement,
// compression, deduplication, batches.
type setting struct {
	name string
	show func(*natsjs.StreamConfig) string
	// fits reports whether the setting of the stream is acceptable. Nil: only the same
	// value is.
	fits func(have, want *natsjs.StreamConfig) bool
	// flag is the option of nats stream edit that repairs the setting, with %s for the
	// wanted value. "": it cannot be changed.
	flag string
}

// check returns the first setting of a stream that breaks a promise.
func check(have, want *natsjs.StreamConfig) error {
	if err := checkCase(have.Subjects, want.Subjects); err != nil {
		return err
	}
	for _, s := range checked {
		if s.show(have) == s.show(want) || s.fits != nil && s.fits(have, want) {
			continue
		}
		return &SettingError{
			Stream: "stream " + want.Name, Setting: s.name,
			Have: s.show(have), Want: s.show(want), Mend: s.mend(want),
		}
	}
	return nil
}

func (s *setting) mend(want *natsjs.StreamConfig) string {
	if s.flag == "" {
		return "it cannot be changed: back the stream up and delete it (nats stream backup, nats stream rm), or use another namespace"
	}
	flag := s.flag
	if strings.Contains(flag, "%s") {
		flag = fmt.Sprintf(flag, s.show(want))
	}
	return "mend it with: nats stream edit " + want.Name + " " + flag
}

type streamConfig = natsjs.StreamConfig

var checked = []setting{
	{name: "retention", show: func(c *streamConfig) string { return c.Retention.String() }},
	{name: "storage", show: func(c *streamConfig) string { return c.Storage.String() }},
	{name: "mirror", show: showMirror, flag: "--no-mirror"},
	{name: "subjects", show: showSubjects, flag: "--subjects=%s"},
	{name: "discard", show: func(c *streamConfig) string {
		return strings.ToLower(strings.TrimPrefix(c.Discard.String(), "Discard"))
	}, flag: "--discard=%s"},
	{name: "discard_new_per_subject", show: flagged(func(c *streamConfig) bool { return c.DiscardNewPerSubject }), flag: "--no-discard-per-subject"},
	{name: "max_msgs", show: counted(func(c *streamConfig) int64 { return c.MaxMsgs }), fits: refusesNew, flag: "--max-msgs=-1"},
	{name: "max_bytes", show: counted(func(c *streamConfig) int64 { return c.MaxBytes }), fits: enoughBytes, flag: "--max-bytes=%s"},
	{name: "max_age", show: func(c *streamConfig) string { return c.MaxAge.String() }, fits: longEnough, flag: "--max-age=%s"},
	{name: "max_msgs_per_subject", show: counted(func(c *streamConfig) int64 { return c.MaxMsgsPerSubject }), flag: "--max-msgs-per-subject=%s"},
	{name: "max_msg_size", show: counted(func(c *streamConfig) int64 { return int64(c.MaxMsgSize) }), fits: largeEnough, flag: "--max-msg-size=-1"},
	{name: "num_replicas", show: func(c *streamConfig) string { return fmt.Sprint(c.Replicas) }, fits: replicated, flag: "--replicas=%s"},
	{name: "no_ack", show: flagged(func(c *streamConfig) bool { return c.NoAck }), flag: "--ack"},
	{name: "sealed", show: flagged(func(c *streamConfig) bool { return c.Sealed })},
	{name: "sources", show: showSources},
	{name: "first_seq", show: func(c *streamConfig) string { return fmt.Sprint(c.FirstSeq) }, fits: numbersLikeTime},
	{name: "subject_transform", show: showTransform, flag: "%s"},
	{name: "republish", show: showRepublish, fits: repeatsAtWill, flag: "%s"},
	{name: "allow_direct", show: flagged(func(c *streamConfig) bool { return c.AllowDirect }), flag: "--allow-direct"},
	{name: "deny_delete", show: flagged(func(c *streamConfig) bool { return c.DenyDelete }), fits: func(have, _ *streamConfig) bool { return have.DenyDelete }, flag: "--deny-delete"},
	{name: "deny_purge", show: flagged(func(c *streamConfig) bool { return c.DenyPurge }), fits: func(_, want *streamConfig) bool { return !want.AllowMsgSchedules }},
	{name: "subject_delete_marker_ttl", show: func(c *streamConfig) string { return c.SubjectDeleteMarkerTTL.String() }, fits: func(_, want *streamConfig) bool { return want.AllowRollup && !want.AllowMsgSchedules }, flag: "--subject-del-markers-ttl=0"},
	{name: "allow_rollup_hdrs", show: flagged(func(c *streamConfig) bool { return c.AllowRollup }), fits: func(have, _ *streamConfig) bool { return !have.AllowRollup }, flag: "--no-allow-rollup"},
	{name: "allow_msg_ttl", show: flagged(func(c *streamConfig) bool { return c.AllowMsgTTL }), fits: func(_, want *streamConfig) bool { return !want.AllowMsgTTL }, flag: "--allow-msg-ttl"},
	{name: "allow_msg_ttl", show: flagged(func(c *streamConfig) bool { return c.AllowMsgTTL }), fits: livesLong},
	{name: "allow_msg_schedules", show: flagged(func(c *streamConfig) bool { return c.AllowMsgSchedules })},
	{name: "allow_msg_counter", show: flagged(func(c *streamConfig) bool { return c.AllowMsgCounter })},
	{name: "persist_mode", show: func(c *streamConfig) string { return c.PersistMode.String() }},
	{name: "consumer_limits", show: showConsumerLimits, fits: func(_, want *streamConfig) bool { return want.Retention != natsjs.WorkQueuePolicy }},
}
