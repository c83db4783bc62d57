package jetstream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"zasync/pkg/dispatch/driver"

	natsjs "github.com/nats-io/nats.go/jetstream"
)

// site is the place of a queue: the streams of a namespace in an account.
type site struct {
	names
	config   Config
	js       natsjs.JetStream
	refusals *refusals
	inbox    string // the start of the subjects of answers
}

// prepare checks the existing streams. Then it makes the missing ones, once it knows that
// it can make all of them. Several programs may do so at once.
//
// prepare makes a stream that was there before only in two cases: that loses no promise,
// or a person has allowed it. A user that may not look at streams uses them as they are:
// to make and to check them is the task of workers.
func (s *site) prepare(ctx context.Context) error {
	if err := checkServer(s.js.Conn()); err != nil {
		return err
	}
	found, err := s.survey(ctx)
	if err == nil && len(found.losses()) > 0 { // the first worker may have made the rest meanwhile
		found, err = s.survey(ctx)
	}
	switch {
	case errors.Is(err, errUnseen):
		return nil
	case err != nil:
		return err
	}
	if err := found.check(); err != nil {
		return err
	}
	return s.complete(ctx, found)
}

func (s *site) survey(ctx context.Context) (*survey, error) {
	found := new(survey)
	for _, want := range slices.Backward(s.streams()) {
		stream, err := s.info(ctx, want.Name)
		switch {
		case errors.Is(err, natsjs.ErrStreamNotFound):
			found.absent(want)
		case err != nil:
			return nil, fmt.Errorf("jetstream: stream %s: %w", want.Name, err)
		default:
			found.present(stream.CachedInfo(), want)
		}
	}
	return found, nil
}

// complete makes the missing streams. A namespace that was never complete, because its
// maker died, has lost nothing.
func (s *site) complete(ctx context.Context, found *survey) error {
	losses := found.losses()
	if err := s.refuse(losses); err != nil || len(found.missing) == 0 {
		return err
	}
	return s.makeAll(ctx, found.missing, losses)
}

// errUnseen: the user may not look at streams.
var errUnseen = errors.New("the stream may not be looked at")

// info asks for a stream. Some users do not need the right to look at streams. So the
// error handler of the connection does not learn that the server refuses it to them.
func (s *site) info(ctx context.Context, name string) (natsjs.Stream, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer s.refusals.heed(func(e *driver.PermissionError) (answered bool) {
		switch {
		case e.Operation == driver.Publish && has(e.Subject, ".STREAM.INFO."+name):
			cancel(errUnseen)
			return true
		case e.Operation == driver.Subscribe && strings.HasPrefix(e.Subject, s.inbox):
			cancel(e)
		}
		return false
	})()
	stream, err := s.js.Stream(ctx, name)
	if err != nil && errors.Is(context.Cause(ctx), errUnseen) {
		return nil, errUnseen
	}
	return stream, refusal(ctx, err)
}

func (s *site) makeAll(ctx context.Context, missing []natsjs.StreamConfig, losses []string) error {
	t, err := s.limits(ctx)
	if err == nil {
		err = t.allow(len(missing))
	}
	if err != nil {
		return err
	}
	for _, want := range missing {
		made, err := s.makeMissing(ctx, &want, t)
		if err != nil {
			return err
		}
		if slices.Contains(losses, want.Name) {
			s.sayAnew(made)
		}
	}
	return nil
}

// makeMissing makes a stream, unless another program was faster, and checks it.
func (s *site) makeMissing(ctx context.Context, want *natsjs.StreamConfig, t *tier) (*natsjs.StreamInfo, error) {
	ctx, free := s.refusals.bound(ctx, func(e *driver.PermissionError) bool { return has(e.Subject, ".STREAM.CREATE."+want.Name) })
	defer free()
	stream, err := s.makePatiently(ctx, want, t)
	if errors.Is(err, natsjs.ErrStreamNameAlreadyInUse) {
		stream, err = s.js.Stream(ctx, want.Name)
	}
	if noRoom(err) {
		return nil, fmt.Errorf("jetstream: stream %s: the server has no room for %s: raise its max_file_store, make room, or delete a stream *_ROOM that a dead program has left (%w)", want.Name, mebibytes(max(want.MaxBytes, leastRoom)), err)
	}
	if err != nil {
		return nil, fmt.Errorf("jetstream: stream %s: %w", want.Name, refusal(ctx, err))
	}
	made := stream.CachedInfo()
	return made, check(&made.Config, want)
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

// streams returns the settings of all streams, in the order in which programs make them.
// A new stream goes to the end. The package comment says what each stream is for. check
// knows which differences do no harm.
func (s *site) streams() []natsjs.StreamConfig {
	return []natsjs.StreamConfig{
		s.queueStream(),
		s.delayStream(),
		s.asideStream(),
		s.bucket(driver.Records, true),
		s.bucket(driver.Notes, true),
		s.bucket(driver.Unhandled, false),
		s.heartbeats(),
		s.settings(),
	}
}

// base returns the settings that all streams share. A full stream refuses new messages:
// it never deletes acknowledged ones to make room.
func (s *site) base(name, description string) natsjs.StreamConfig {
	return natsjs.StreamConfig{
		Name: name, Description: description,
		Storage: natsjs.FileStorage, Replicas: s.config.Replicas, Discard: natsjs.DiscardNew,
		MaxMsgs: -1, MaxBytes: -1, MaxMsgsPerSubject: -1, MaxMsgSize: -1, MaxConsumers: -1,
		AllowDirect: true,
	}
}

// queueStream is the stream that every client may publish to.
//
//   - It has neither schedules nor roll-ups: their headers affect more than the subject.
//   - Its subjects have exactly as many tokens as they need, so that it refuses mistyped
//     ones.
//   - Its first sequence is the time, so that numbered ids stay unique when it is made
//     again.
func (s *site) queueStream() natsjs.StreamConfig {
	c := s.base(s.queue(), "zasync: calls that are ready or must wait first, and commands")
	c.Retention = natsjs.WorkQueuePolicy
	c.Subjects = []string{
		s.on(driver.Ready, "*", "*"),
		s.on(driver.Ready, "*", "*", "*"),
		s.on(driver.Ready, "*", "*", "*", "*"),
		s.on(driver.Later, "*", "*"),
		s.on(driver.Later, "*", "*", "*"),
		s.on(driver.Commands, "*", "*"),
	}
	c.SubjectTransform = &natsjs.SubjectTransformConfig{
		Source:      s.on(driver.Ready, "*", "*"),
		Destination: s.on(driver.Ready, "{{wildcard(1)}}", "{{wildcard(2)}}", unnumbered),
	}
	c.FirstSeq = uint64(time.Now().UnixMicro()) //nolint:gosec // after 1970
	return c
}

// delayStream cannot refuse new messages, since a stream with schedules does not allow
// that. So it has no limits: a limit would delete schedules.
func (s *site) delayStream() natsjs.StreamConfig {
	c := s.base(s.delay(), "zasync: schedules, and what became due")
	c.Retention = natsjs.WorkQueuePolicy
	c.Discard = natsjs.DiscardOld
	c.Subjects = []string{s.on(driver.Delay, "*"), s.on(driver.Due, ">")}
	c.AllowMsgSchedules, c.AllowRollup = true, true
	return c
}

func (s *site) asideStream() natsjs.StreamConfig {
	c := s.base(s.aside(), "zasync: messages that could not be understood")
	c.Discard = natsjs.DiscardOld
	c.Subjects = []string{s.on(driver.Aside, "*")}
	c.MaxAge = s.config.AsideAge
	c.MaxBytes = s.config.AsideBytes
	return c
}

// bucket is a key-value bucket without the client library's helper. The helper's buckets
// allow roll-ups, with which each writer could delete the whole bucket.
func (s *site) bucket(space driver.Space, live bool) natsjs.StreamConfig {
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

// heartbeats are on file, though they expire soon. A memory stream is gone after a
// restart of a single server, and all living workers would seem dead.
func (s *site) heartbeats() natsjs.StreamConfig {
	c := s.bucket(driver.Workers, false)
	c.MaxAge = driver.HeartbeatTTL
	return c
}

// settings are a bucket like those of the client library, so that people can edit it with
// any tool.
func (s *site) settings() natsjs.StreamConfig {
	c := s.bucket(driver.Settings, false)
	c.AllowRollup = true
	return c
}
