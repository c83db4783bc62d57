package jetstream

import (
	"errors"
	"slices"
	"strings"

	"zasync/pkg/dispatch/driver"

	natsjs "github.com/nats-io/nats.go/jetstream"
)

// lost names the contents that a deleted stream takes with it. A spare stream has nothing that a promise depends
// on, so any worker may make it again.
func (n names) lost(stream string) (what string, spare bool) {
	switch stream {
	case n.queue():
		return "the calls and commands that waited", false
	case n.delay():
		return "the calls that were due later, retries and alarms", false
	case n.bucketStream(driver.Records):
		return "the records of all deferreds, with their results", false
	case n.bucketStream(driver.Notes):
		return "the annotations and checkpoints", false
	case n.bucketStream(driver.Unhandled):
		return "the list of unhandled failures", false
	case n.bucketStream(driver.Workers):
		return "the heartbeats, which come again", true
	case n.aside():
		return "the messages that were set aside", true
	}
	return "the settings", true
}

// missing is the error for a stream that was there and is now missing.
func (n names) missing(stream string) *driver.MissingError {
	what, spare := n.lost(stream)
	mend := "restore it from a backup (nats stream restore); or accept the loss, and have it made anew and empty by a worker that is started with --remake (Config.Remake)"
	if spare {
		mend = "a worker makes it anew"
	}
	return &driver.MissingError{Stream: stream, Lost: what, Mend: mend}
}

// streamOf is the stream that answers a message published to the subject. It is "" if
// that is no stream of this namespace, or the server itself.
func (n names) streamOf(subject string) string {
	if rest, ok := strings.CutPrefix(subject, n.api("DIRECT.GET.")); ok {
		stream, _, _ := strings.Cut(rest, ".")
		return stream
	}
	if rest, ok := strings.CutPrefix(strings.TrimPrefix(subject, n.away), "$KV."); ok {
		bucket, _, _ := strings.Cut(rest, ".")
		return "KV_" + bucket
	}
	if rest, ok := strings.CutPrefix(subject, n.prefix); ok {
		route, _, _ := strings.Cut(rest, ".")
		return n.stream(driver.Route(route))
	}
	return ""
}

// A survey is the result of a look at the streams of a namespace, from the last to the
// first. Programs make them from the first to the last. So a stream that is missing was
// there before, if the survey has found a later one. A program that makes the streams at
// the same time does not change that conclusion.
type survey struct {
	there   []found               // beginning with the last
	missing []natsjs.StreamConfig // in the order in which programs make them
	lost    []string              // the missing streams that were there before
	worked  bool                  // a worker has made a consumer, and workers need all streams
}

type found struct{ have, want natsjs.StreamConfig }

func (s *survey) present(info *natsjs.StreamInfo, want natsjs.StreamConfig) {
	s.there = append(s.there, found{info.Config, want})
	s.worked = s.worked || info.State.Consumers > 0
}

func (s *survey) absent(want natsjs.StreamConfig) {
	s.missing = slices.Insert(s.missing, 0, want)
	if len(s.there) > 0 {
		s.lost = append(s.lost, want.Name)
	}
}

// check returns the first setting of the first stream that breaks a promise.
func (s *survey) check() error {
	for _, f := range slices.Backward(s.there) {
		if err := check(&f.have, &f.want); err != nil {
			return err
		}
	}
	return nil
}

// losses are the streams that were there and are now missing.
func (s *survey) losses() []string {
	if !s.worked {
		return s.lost // no program has made the other missing streams
	}
	all := make([]string, len(s.missing))
	for i := range s.missing {
		all[i] = s.missing[i].Name
	}
	return all
}

// refuse returns an error for each lost stream that a worker must not make again
// silently.
func (s *site) refuse(losses []string) error {
	var errs []error
	for _, stream := range losses {
		if _, spare := s.lost(stream); !spare && !s.config.Remake {
			errs = append(errs, s.missing(stream))
		}
	}
	return errors.Join(errs...)
}

// sayAnew warns of the content that was lost with a stream, if the stream was made just
// now. A request to make an existing stream returns the existing one.
func (s *site) sayAnew(made *natsjs.StreamInfo) {
	if made.TimeStamp.Sub(made.Created) > openLimit {
		return
	}
	stream := made.Config.Name
	what, _ := s.lost(stream)
	s.config.Logger.Warn("stream was missing, and is made anew and empty", "stream", stream, "lost", what)
}
