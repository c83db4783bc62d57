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

// A lookout knows which streams of the namespace are missing. It looks when there is
// a sign of that, and workers have it look at all of them every so often. A stream
// that no promise rests on it makes anew, with a warning. Any other is for a person.
type lookout struct {
	*site
	wrong *complaints.Log

	streams []string // in their order

	mu      sync.Mutex
	sights  map[string]*sight // by stream
	blind   bool              // the user may not look at streams
	changed chan struct{}     // closed when a stream went missing, or is there again
}

// A sight is what was last seen of a stream.
type sight struct {
	at      time.Time
	looking bool
	missing error // nil: it is there
}

const (
	lookAgain = time.Second // what was seen is good for so long, where there is a sign of another thing
	lookRound = time.Minute // and else
)

func newLookout(s *site, wrong *complaints.Log) *lookout {
	l := &lookout{site: s, wrong: wrong, sights: map[string]*sight{}, changed: make(chan struct{})}
	for _, c := range s.streams() { // which were seen just now
		l.streams = append(l.streams, c.Name)
		l.sights[c.Name] = &sight{at: time.Now()}
	}
	return l
}

// glance gives what is known of a stream, if that is fresh, and else has it looked at.
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

// unheard is why nobody listens to a request: nil while that is not known.
func (l *lookout) unheard(subject string) error {
	return l.glance(l.streamOf(subject), lookAgain)
}

// explain replaces the server's word that a stream is not found by what the lookout
// knows. The first such word is no proof: see look.
func (l *lookout) explain(stream string, err error) error {
	if !errors.Is(err, natsjs.ErrStreamNotFound) {
		return err
	}
	if missing := l.glance(stream, lookAgain); missing != nil {
		return missing
	}
	return fmt.Errorf("%w: %w", driver.ErrUnavailable, err)
}

// fault is the first of the streams that are missing until a person does something.
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

// change gives a channel that is closed at the next change of what is missing.
func (l *lookout) change() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.changed
}

// round has all streams looked at now and then, and those that are missing often.
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

// look asks for a stream, and makes it anew if nothing rests on it. It believes that a
// stream is missing when it hears so twice: a server that has just started, or just
// become the leader, may not know of a stream yet, and waiters must not end for that.
func (l *lookout) look(stream string) {
	ctx, cancel := context.WithTimeout(context.Background(), openLimit) //nolint:forbidigo // whoever saw the sign does not wait
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

// anew makes a stream anew that is missing; the error says why not. Where another one
// is missing that a person must see to, he may want to begin with none.
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

// What is said of a stream that is missing.
const (
	saysMissing = "stream is missing: workers take no calls until it is there again"
	saysNotAnew = "stream is missing, and cannot be made anew yet"
)

// note takes in whether a stream is there.
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
