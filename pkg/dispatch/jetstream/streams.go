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

// site is where a queue lives: the streams of a namespace in an account.
type site struct {
	names
	config   Config
	js       natsjs.JetStream
	refusals *refusals
	inbox    string // how the subjects of answers begin
}

// prepare checks the streams that are there, and makes those that are not, once
// it is known that all of them can be. Several programs may do so at once. What was
// there before is made anew only where that loses no promise, or a person has said
// so. Who may not look at streams takes them as they are: to make and to check them
// is for workers.
func (s *site) prepare(ctx context.Context) error {
	if err := checkServer(s.js.Conn()); err != nil {
		return err
	}
	found, err := s.survey(ctx)
	if err == nil && len(found.losses()) > 0 { // its first worker may have made the rest while we looked
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

// complete makes what is missing. A namespace that was never whole, because whoever
// made it died, has lost nothing.
func (s *site) complete(ctx context.Context, found *survey) error {
	losses := found.losses()
	if err := s.refuse(losses); err != nil || len(found.missing) == 0 {
		return err
	}
	return s.makeAll(ctx, found.missing, losses)
}

// errUnseen: the user may not look at streams.
var errUnseen = errors.New("the stream may not be looked at")

// info asks for a stream. That this is refused to somebody who does not need it is
// no news for the error handler of the connection.
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

// streams gives the settings of all streams, in the order in which they are made: a
// new one goes to the end. What each is for is in the package comment; check knows
// which differences do no harm.
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

// delayStream cannot refuse what is new, since schedules do not go with that. So
// it has no limits, which would throw schedules away.
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

// bucket is a key-value bucket made by hand, because the client's own kind
// allows roll-ups, with which each of its writers could wipe it.
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

// heartbeats are on file, though they are short-lived: a memory stream is gone
// after a restart of a single server, and with it every living worker.
func (s *site) heartbeats() natsjs.StreamConfig {
	c := s.bucket(driver.Workers, false)
	c.MaxAge = driver.HeartbeatTTL
	return c
}

// settings are a bucket like the client's own, for people to edit with any tool.
func (s *site) settings() natsjs.StreamConfig {
	c := s.bucket(driver.Settings, false)
	c.AllowRollup = true
	return c
}
