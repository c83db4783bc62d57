package workerpool

import (
	"sync"
	"sync/atomic"
	"time"

	"zasync/pkg/deferred"
)

// How far a lane is fetched ahead of the slots: what lookahead of run time
// consumes, and nothing when calls take longer than longCall on average.
const (
	lookahead = 10 * time.Millisecond
	longCall  = 5 * time.Millisecond
	maxAhead  = 100
	// weight of the mean against a new run time. A single long call among short
	// ones stops fetching ahead; it takes several short ones to begin.
	weight = 8
)

// lane measures how long its calls run and tells the feed how many to offer. It
// takes them to be long until they show otherwise: what is fetched ahead
// wrongly waits here while other workers may be idle.
type lane struct {
	deferred.Lane
	handler Handler
	feed    deferred.Feed
	slots   int
	warned  atomic.Bool // that all slots wait

	mu     sync.Mutex // also keeps the wishes in order
	mean   time.Duration
	ahead  int
	closed bool
}

func newLane(l deferred.Lane, h Handler) *lane {
	return &lane{Lane: l, handler: h, mean: 2 * longCall}
}

func (l *lane) open(feed deferred.Feed, slots int) {
	l.feed, l.slots = feed, slots
	feed.Want(l.Lane, slots)
}

// fit keeps the wish to the slots that there are.
func (l *lane) fit(slots int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	l.slots = slots
	l.ahead = l.wanted()
	l.feed.Want(l.Lane, l.slots+l.ahead)
}

func (l *lane) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	l.feed.Want(l.Lane, 0)
}

// ran takes a run time into account.
func (l *lane) ran(took time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mean += (took - l.mean) / weight
	l.adjust()
}

// jam says that a call that was fetched ahead has met no free slot. The mean
// cannot tell: it knows only calls that have ended.
func (l *lane) jam() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mean = max(l.mean, 2*longCall)
	l.adjust()
}

func (l *lane) adjust() {
	ahead := l.wanted()
	if l.closed || !notable(l.ahead, ahead) {
		return
	}
	l.ahead = ahead
	l.feed.Want(l.Lane, l.slots+ahead)
}

// wanted is how many calls to fetch ahead. It begins below the bound at which
// it ends, so that calls of about that length do not turn it on and off.
func (l *lane) wanted() int {
	bound := longCall
	if l.ahead == 0 {
		bound = longCall * 4 / 5
	}
	if l.mean > bound {
		return 0
	}
	return min(maxAhead, int(lookahead*time.Duration(l.slots)/max(l.mean, 1)))
}

// notable spares the feed wishes that differ by less than a quarter.
func notable(from, to int) bool {
	return from != to && 4*max(to-from, from-to) >= from
}
