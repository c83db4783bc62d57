package jetstream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"zasync/pkg/dispatch"

	natsjs "github.com/nats-io/nats.go/jetstream"
)

// site is where a queue lives: the streams of a namespace in an account.
type site struct {
	names
	config Config
	js     natsjs.JetStream
}

// prepare checks the streams that are there, and makes those that are not, once
// it is known that all of them can be. Several programs may do so at once.
func (s *site) prepare(ctx context.Context) error {
	if err := checkServer(s.js.Conn()); err != nil {
		return err
	}
	var missing []natsjs.StreamConfig
	for _, want := range s.streams() {
		stream, err := s.js.Stream(ctx, want.Name)
		switch {
		case errors.Is(err, natsjs.ErrStreamNotFound):
			missing = append(missing, want)
		case err != nil:
			return fmt.Errorf("jetstream: stream %s: %w", want.Name, err)
		default:
			if err := s.accept(ctx, stream, &want); err != nil {
				return err
			}
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return s.makeAll(ctx, missing)
}

func (s *site) makeAll(ctx context.Context, missing []natsjs.StreamConfig) error {
	t, err := s.limits(ctx)
	if err == nil {
		err = t.allow(len(missing))
	}
	if err != nil {
		return err
	}
	for _, want := range missing {
		stream, err := s.makeOne(ctx, &want, t)
		if errors.Is(err, natsjs.ErrStreamNameAlreadyInUse) { // somebody was faster
			stream, err = s.js.Stream(ctx, want.Name)
		}
		if noRoom(err) {
			return fmt.Errorf("jetstream: stream %s: the server has no room for %s: raise its max_file_store, or make room (%w)", want.Name, mebibytes(want.MaxBytes), err)
		}
		if err != nil {
			return fmt.Errorf("jetstream: stream %s: %w", want.Name, err)
		}
		if err := s.accept(ctx, stream, &want); err != nil {
			return err
		}
	}
	return nil
}

func (s *site) makeOne(ctx context.Context, want *natsjs.StreamConfig, t *tier) (natsjs.Stream, error) {
	switch want.Name {
	case s.queue():
		return s.makeQueue(ctx, want, t)
	case s.aside():
		return s.makeAside(ctx, want)
	}
	return s.js.CreateStream(ctx, *want)
}

// accept checks a stream that is there.
func (s *site) accept(ctx context.Context, stream natsjs.Stream, want *natsjs.StreamConfig) error {
	if err := check(&stream.CachedInfo().Config, want); err != nil {
		return err
	}
	if want.Name != s.queue() {
		return nil
	}
	if _, err := s.share(ctx, stream); err != nil {
		return fmt.Errorf("jetstream: bound stream %s: %w", want.Name, err)
	}
	return nil
}

// streams gives the settings of all streams. What each is for is in the package
// comment; check knows which differences do no harm.
func (s *site) streams() []natsjs.StreamConfig {
	return []natsjs.StreamConfig{
		s.queueStream(),
		s.delayStream(),
		s.asideStream(),
		s.bucket(dispatch.Records, true),
		s.bucket(dispatch.Notes, true),
		s.bucket(dispatch.Unhandled, false),
		s.heartbeats(),
		s.settings(),
	}
}

// base is what all streams have in common. A full one refuses what is new: what
// was acknowledged is never thrown away for it.
func (s *site) base(name, description string) natsjs.StreamConfig {
	return natsjs.StreamConfig{
		Name: name, Description: description,
		Storage: natsjs.FileStorage, Replicas: s.config.Replicas, Discard: natsjs.DiscardNew,
		MaxMsgs: -1, MaxBytes: -1, MaxMsgsPerSubject: -1, MaxMsgSize: -1, MaxConsumers: -1,
		AllowDirect: true,
	}
}

// queueStream is the one that anybody may publish to. So it has neither
// schedules nor roll-ups, whose headers reach beyond the subject, and its
// subjects have exactly as many tokens as they need: what is mistyped is refused.
// Its first sequence is the time, so that numbered ids stay unique when it is
// made anew.
func (s *site) queueStream() natsjs.StreamConfig {
	c := s.base(s.queue(), "zasync: calls that are ready or must wait first, and commands")
	c.Retention = natsjs.WorkQueuePolicy
	c.Subjects = []string{
		s.on(dispatch.Ready, "*", "*"),
		s.on(dispatch.Ready, "*", "*", "*"),
		s.on(dispatch.Ready, "*", "*", "*", "*"),
		s.on(dispatch.Later, "*", "*"),
		s.on(dispatch.Later, "*", "*", "*"),
		s.on(dispatch.Commands, "*", "*"),
	}
	c.SubjectTransform = &natsjs.SubjectTransformConfig{
		Source:      s.on(dispatch.Ready, "*", "*"),
		Destination: s.on(dispatch.Ready, "{{wildcard(1)}}", "{{wildcard(2)}}", unnumbered),
	}
	c.FirstSeq = uint64(time.Now().UnixMicro()) //nolint:gosec // after 1970
	return c
}

// delayStream cannot refuse what is new, since schedules do not go with that. So
// it has no limits, which would throw schedules away.
func (s *site) delayStream() natsjs.StreamConfig {
	c := s.base(s.delay(), "zasync: schedules, and what became due")
	c.Retention = natsjs.WorkQueuePolicy
	c.Discard = natsjs.DiscardOld
	c.Subjects = []string{s.on(dispatch.Delay, "*"), s.on(dispatch.Due, ">")}
	c.AllowMsgSchedules, c.AllowRollup = true, true
	return c
}

func (s *site) asideStream() natsjs.StreamConfig {
	c := s.base(s.aside(), "zasync: messages that could not be understood")
	c.Discard = natsjs.DiscardOld
	c.Subjects = []string{s.on(dispatch.Aside, "*")}
	c.MaxAge = s.config.AsideAge
	c.MaxBytes = s.config.AsideBytes
	return c
}

// bucket is a key-value bucket made by hand, because the client's own kind
// allows roll-ups, with which each of its writers could wipe it.
func (s *site) bucket(space dispatch.Space, live bool) natsjs.StreamConfig {
	c := s.base(s.bucketStream(space), "zasync: "+string(space))
	c.Subjects = []string{s.keySubject(space, ">")}
	c.MaxMsgsPerSubject = 1
	c.DenyDelete = true
	c.AllowMsgTTL = true
	if live {
		c.RePublish = &natsjs.RePublish{Source: s.keySubject(space, ">"), Destination: s.live(space, ">")}
	}
	return c
}

// heartbeats are on file, though they are short-lived: a memory stream is gone
// after a restart of a single server, and with it every living worker.
func (s *site) heartbeats() natsjs.StreamConfig {
	c := s.bucket(dispatch.Workers, false)
	c.MaxAge = dispatch.HeartbeatTTL
	return c
}

// settings are a bucket like the client's own, for people to edit with any tool.
func (s *site) settings() natsjs.StreamConfig {
	c := s.bucket(dispatch.Settings, false)
	c.AllowRollup = true
	return c
}
