package jetstream

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// The functions below show settings, for errors and for comparison. They show a setting
// that takes more than one flag to change as these flags.

func flagged(f func(*streamConfig) bool) func(*streamConfig) string {
	return func(c *streamConfig) string { return fmt.Sprint(f(c)) }
}

// counted shows a limit. 0 and everything below -1 mean no limit, as -1 does.
func counted(f func(*streamConfig) int64) func(*streamConfig) string {
	return func(c *streamConfig) string {
		if n := f(c); n > 0 {
			return fmt.Sprint(n)
		}
		return "-1"
	}
}

func showSubjects(c *streamConfig) string {
	return strings.Join(slices.Sorted(slices.Values(c.Subjects)), ",")
}

func showMirror(c *streamConfig) string {
	if c.Mirror == nil {
		return "none"
	}
	return c.Mirror.Name
}

func showSources(c *streamConfig) string {
	if len(c.Sources) == 0 {
		return "none"
	}
	var from []string
	for _, s := range c.Sources {
		from = append(from, s.Name)
	}
	return strings.Join(from, ",")
}

func showTransform(c *streamConfig) string {
	if c.SubjectTransform == nil {
		return "--no-transform"
	}
	return fmt.Sprintf("--transform-source='%s' --transform-destination='%s'", c.SubjectTransform.Source, c.SubjectTransform.Destination)
}

func showRepublish(c *streamConfig) string {
	r := c.RePublish
	if r == nil {
		return "--no-republish"
	}
	s := fmt.Sprintf("--republish-source='%s' --republish-destination='%s'", r.Source, r.Destination)
	if r.HeadersOnly {
		s += " --republish-headers"
	}
	return s
}

func showConsumerLimits(c *streamConfig) string {
	l := c.ConsumerLimits
	if l.MaxAckPending <= 0 && l.InactiveThreshold == 0 {
		return "none"
	}
	return fmt.Sprintf("max_ack_pending %d, inactive_threshold %s", max(l.MaxAckPending, 0), l.InactiveThreshold.Round(time.Second))
}
