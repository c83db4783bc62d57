package jetstream

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	natsjs "github.com/nats-io/nats.go/jetstream"
)

// No interface tells a client how much room a server's store has. A probe finds out: it
// is an empty stream that reserves the room, and is deleted at once. The queue stream
// itself must not reserve the room and shrink later. If two streams reserve the room at
// the same time, the server accepts both, and then refuses to let either shrink.
const (
	probeLife = 2 * time.Second // the program that made an older probe has died

	roomPatience = 10 * time.Second      // how long to wait while other probes take the room
	roomPause    = 25 * time.Millisecond // at least so long before the second attempt; it grows
	mostPause    = 400 * time.Millisecond
)

// probe returns the room that a stream can reserve: most, or less by halves. It asks
// first whether the least room is there: while other programs probe, that costs the
// server only one answer.
func (s *site) probe(ctx context.Context, most int64) (int64, error) {
	c := s.base(s.upper+"ROOM", "zasync: finds out what room there is; to be deleted")
	c.Subjects = []string{s.prefix + "room"} // no client needs to publish there
	_, err := s.makeWithin(ctx, &c, leastRoom, leastRoom)
	if err == nil {
		err = s.endProbe(ctx, c.Name, 0)
	}
	if err == nil {
		_, err = s.makeWithin(ctx, &c, most, leastRoom)
	}
	switch {
	case errors.Is(err, natsjs.ErrStreamNameAlreadyInUse):
		return 0, errors.Join(errProbing, s.endProbe(ctx, c.Name, probeLife))
	case noRoom(err):
		return 0, errors.Join(err, s.endProbe(ctx, c.Name, probeLife))
	case err != nil:
		return 0, err
	}
	return c.MaxBytes, s.endProbe(ctx, c.Name, 0)
}

var errProbing = errors.New("another program finds out what room there is")

// endProbe deletes the probe if it is at least as old as age.
func (s *site) endProbe(ctx context.Context, name string, age time.Duration) error {
	stream, err := s.js.Stream(ctx, name)
	if err == nil {
		if i := stream.CachedInfo(); i.TimeStamp.Sub(i.Created) < age {
			return nil
		}
		err = s.js.DeleteStream(ctx, name)
	}
	if err != nil && !errors.Is(err, natsjs.ErrStreamNotFound) {
		return fmt.Errorf("delete stream %s: %w", name, err)
	}
	return nil
}

// makePatiently makes a stream, and tries again while a probe may be in the way.
func (s *site) makePatiently(ctx context.Context, want *natsjs.StreamConfig, t *tier) (natsjs.Stream, error) {
	began := time.Now()
	for pause := roomPause; ; pause = min(2*pause, mostPause) {
		stream, err := s.makeOne(ctx, want, t)
		if !ofProbe(err) || time.Since(began) > roomPatience {
			return stream, err
		}
		select {
		case <-time.After(pause + rand.N(pause)):
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
	}
}

// codeCreate is the server's code for a stream whose directory it could not make. With
// the last stream of an account, such as the first probe, it deletes the directory of all
// its streams.
const codeCreate = 10049

// ofProbe reports whether a probe may be the reason, which is gone soon.
func ofProbe(err error) bool {
	var refusal *natsjs.APIError
	return noRoom(err) || errors.As(err, &refusal) && refusal.ErrorCode == codeCreate || errors.Is(err, errProbing)
}
