package main

import (
	"fmt"
	"time"

	"zasync/cmd/internal/cmdline"
)

// readTime reads a point in time: RFC 3339, or without a zone the local one's;
// a time of day is the next such; a duration counts from now.
func readTime(flag, text string, now time.Time) (time.Time, error) {
	return readMoment(flag, text, now, 1)
}

// readPast is readTime looking back: a time of day is the latest such, and a
// duration is how long ago it was.
func readPast(flag, text string, now time.Time) (time.Time, error) {
	return readMoment(flag, text, now, -1)
}

func readMoment(flag, text string, now time.Time, direction int) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05Z0700"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	for _, layout := range []string{"2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02T15:04:05", "2006-01-02T15:04", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, text, now.Location()); err == nil {
			return t, nil
		}
	}
	for _, layout := range []string{"15:04:05", "15:04"} {
		if t, err := time.ParseInLocation(layout, text, now.Location()); err == nil {
			return nearest(t, now, direction), nil
		}
	}
	if d, err := cmdline.ParseDuration(text); err == nil && d >= 0 {
		return now.Add(time.Duration(direction) * d), nil
	}
	return time.Time{}, cmdline.Usagef("--%s %q is not a time such as 18:30, %q or 2026-01-02T18:30:00Z, nor a duration such as 10m", flag, text, "2026-01-02 18:30")
}

// nearest is the time of day in that direction from now.
func nearest(t, now time.Time, direction int) time.Time {
	day := time.Date(now.Year(), now.Month(), now.Day(), t.Hour(), t.Minute(), t.Second(), 0, now.Location())
	if direction > 0 && day.Before(now) || direction < 0 && day.After(now) {
		return day.AddDate(0, 0, direction)
	}
	return day
}

// age is how long ago something was, short.
func age(t, now time.Time) string {
	if t.IsZero() {
		return ""
	}
	return short(now.Sub(t)) + " ago"
}

func until(t, now time.Time) string {
	if !t.After(now) {
		return "now"
	}
	return "in " + short(t.Sub(now))
}

// short is a duration in its largest unit.
func short(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%dms", max(d.Milliseconds(), 0))
	case d < 2*time.Minute:
		return fmt.Sprintf("%.0fs", d.Seconds())
	case d < 2*time.Hour:
		return fmt.Sprintf("%.0fm", d.Minutes())
	case d < 48*time.Hour:
		return fmt.Sprintf("%.0fh", d.Hours())
	}
	return fmt.Sprintf("%.0fd", d.Hours()/24)
}

func moment(t, now time.Time) string {
	switch {
	case t.IsZero():
		return ""
	case t.After(now):
		return fmt.Sprintf("%s (%s)", t.Local().Format(time.DateTime), until(t, now))
	}
	return fmt.Sprintf("%s (%s)", t.Local().Format(time.DateTime), age(t, now))
}
