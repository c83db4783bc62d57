package jetstream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/internal/complaints"

	natsjs "github.com/nats-io/nats.go/jetstream"
)

// A lookout knows which streams of the namespace are missing. It looks at a stream when
// there is a sign that it is missing. Workers make it look at all streams regularly. A
// stream that no promise depends on it makes again, with a warning. Any other stream only
// a person can restore.
type lookout struct {
	*site
	wrong *complaints.Log

	streams []string // in the order in which they are made

	mu      sync.Mutex
	sights  map[string]*sight // by name of the stream
	blind   bool              // the server does not permit the user to look at streams
	changed chan struct{}     // closed when a stream goes missing or is there again
}

// A sight is the result of the last look at a stream.
type sight struct {
	at      time.Time
	looking bool
	missing error // nil: the stream is there
}

const (
	lookAgain = time.Second // how long a sight is fresh when a sign contradicts it
	lookRound = time.Minute // and how long otherwise
)

func newLookout(s *site, wrong *complaints.Log) *lookout {
	l := &lookout{site: s, wrong: wrong, sights: map[string]*sight{}, changed: make(chan struct{})}
	for _, c := range s.streams() { // prepare has just seen them
		l.streams = append(l.streams, c.Name)
		l.sights[c.Name] = &sight{at: time.Now()}
	}
	return l
}

// glance returns what the last look found, if that is fresh. Otherwise it starts a new
// look, and returns nil.
func (l *lookout) glance(stream string, fresh time.Duration) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.sights[stream]
	if s == nil || l.blind {
		return nil
	}
	if time.Since(s.at) < fresh {
		return s.missing
	}
	if !s.looking {
		s.looking = true
		go l.look(stream)
	}
	return nil
}

// unheard is the reason why no server listened to a request; nil while the lookout does
// not know it.
func (l *lookout) unheard(subject string) error {
	return l.glance(l.streamOf(subject), lookAgain)
}

// explain replaces the server's error that a stream is not found by what the lookout
// knows. The first such error proves nothing: see look.
func (l *lookout) explain(stream string, err error) error {
	if !errors.Is(err, natsjs.ErrStreamNotFound) {
		return err
	}
	if missing := l.glance(stream, lookAgain); missing != nil {
		return missing
	}
	return fmt.Errorf("%w: %w", driver.ErrUnavailable, err)
}

// fault is the error of the first missing stream that only a person can restore.
func (l *lookout) fault() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, stream := range l.streams {
		if _, spare := l.lost(stream); !spare && l.sights[stream].missing != nil {
			return l.sights[stream].missing
		}
	}
	return nil
}

// change returns a channel that is closed when a stream goes missing or is there again.
func (l *lookout) change() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.changed
}

// round looks at all streams now and then, and at missing streams often.
func (l *lookout) round() {
	for _, stream := range l.streams {
		l.mu.Lock()
		fresh := lookRound
		if l.sights[stream].missing != nil {
			fresh = lookAgain
		}
		l.mu.Unlock()
		_ = l.glance(stream, fresh)
	}
}

// look asks the server for a stream, and makes it again if no promise depends on it.
//
// look believes that a stream is missing only when it hears so twice. A server that has
// just started, or has just become the leader, may not know of a stream yet. Waiting
// calls must not end because of that.
func (l *lookout) look(stream string) {
	ctx, cancel := context.WithTimeout(context.Background(), openLimit) //nolint:forbidigo // the caller that saw the sign does not wait
	defer cancel()
	_, err := l.info(ctx, stream)
	if errors.Is(err, natsjs.ErrStreamNotFound) && pause(ctx, lookAgain) {
		_, err = l.info(ctx, stream)
	}
	if errors.Is(err, natsjs.ErrStreamNotFound) {
		l.note(stream, l.anew(ctx, stream))
		return
	}
	if err == nil {
		l.note(stream, nil)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sights[stream].at, l.sights[stream].looking = time.Now(), false
	l.blind = l.blind || errors.Is(err, errUnseen)
}

// anew makes a missing stream again; the error says why it did not. It makes nothing
// while a stream is missing that only a person can restore: the person may want to begin
// without any stream.
func (l *lookout) anew(ctx context.Context, stream string) error {
	missing := l.missing(stream)
	if _, spare := l.lost(stream); !spare {
		return missing
	}
	for _, other := range l.streams {
		if _, spare := l.lost(other); spare {
			continue
		}
		if _, err := l.info(ctx, other); err != nil {
			return fmt.Errorf("%w (%w)", missing, l.explain(other, err))
		}
	}
	configs := l.site.streams()
	want := &configs[slices.Index(l.streams, stream)]
	made, err := l.makeMissing(ctx, want, nil)
	if err != nil {
		return fmt.Errorf("%w (%w)", missing, err)
	}
	l.sayAnew(made)
	return nil
}

// The log messages for a missing stream.
const (
	saysMissing = "stream is missing: workers take no calls until it is there again"
	saysNotAnew = "stream is missing, and cannot be made anew yet"
)

// note records whether a stream is there, and logs the change.
func (l *lookout) note(stream string, missing error) {
	says := saysMissing
	if _, spare := l.lost(stream); spare {
		says = saysNotAnew
	}
	if missing == nil {
		l.wrong.Over(stream, says)
	} else {
		l.wrong.Say(stream, complaints.Complaint{
			Level: slog.LevelError, Says: says, Over: "all streams are there again", Cause: stream, Err: missing, Of: []any{"stream", stream},
		})
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.sights[stream]
	changed := (s.missing == nil) != (missing == nil)
	s.at, s.looking, s.missing = time.Now(), false, missing
	if changed {
		close(l.changed)
		l.changed = make(chan struct{})
	}
}
