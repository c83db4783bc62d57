package jetstream

import (
	"strconv"
	"time"

	"zasync/pkg/dispatch/driver"
)

// A phase is the known state of a lane, and decides what the subscription may ask of it.
// Each lane has at most one open pull request: a delivery names its lane, but not the
// request that it answers.
type phase int

const (
	unwanted   phase = iota
	missing          // the keeper makes its consumer
	backlogged       // messages wait, or may wait: the lane is in the turn of its group
	empty            // no message waits, and the lane has no credit for a request
	asked            // a pull request is open
)

// A lane is a consumer to pull from. The mutex of the subscription guards it.
type lane struct {
	driver.Lane
	group  *group
	number int    // the index in the subscription; part of the reply subjects
	pulls  string // the subject of its pull requests
	want   int
	phase  phase
	pull   pull
	opened time.Time // when its consumer was last made or checked
}

// A pull is a request for deliveries.
type pull struct {
	number   uint64 // 0: no request is open
	standing bool   // waits for one message; otherwise takes the messages that are there
	left     int
	deadline time.Time // after it the answer counts as lost
}

const (
	// The pull of a frozen process takes at most one message per lane, and ends after
	// this time.
	standingTime = 10 * time.Second
	standingWait = standingTime + time.Second
	drawWait     = 5 * time.Second
)

var standingRequest = []byte(`{"batch":1,"expires":` + strconv.FormatInt(int64(standingTime), 10) + `}`)

func drawRequest(n int) []byte {
	return []byte(`{"batch":` + strconv.Itoa(n) + `,"no_wait":true}`)
}

func (p *pull) lost(now time.Time) bool { return p.number != 0 && now.After(p.deadline) }

// A group is a set of lanes that share their credit. A delivery counts against the credit
// from the request that draws it until its release.
//
// Standing pulls do not count: otherwise idle lanes would take credit from busy ones. So
// they may bring messages beyond the credit, and the subscription gives these back at
// once.
type group struct {
	lanes    []*lane
	turn     []*lane // backlogged lanes, in the order in which they are served
	rest     []*lane // empty lanes
	held     int     // deliveries between Next and Release
	buffered int     // deliveries that Next has not returned yet
	drawn    int     // requested deliveries that have not come yet, without standing pulls
}

// free is how many more messages the lane may receive.
func (g *group) free(l *lane) int { return l.want - g.held - g.buffered - g.drawn }

// worthwhile reports whether a draw from the lane is useful now. It is if the credit
// allows half of what the lane wants: so busy lanes are served in batches. With less
// credit it is only if nothing else is coming.
func (g *group) worthwhile(l *lane) bool {
	free := g.free(l)
	return free >= max(1, l.want/2) || free > 0 && g.drawn == 0 && g.buffered == 0
}

// due takes the lanes that a request may go to now out of their queues, and gives them to
// draw and to stand.
func (g *group) due(draw, stand func(*lane)) {
	turn := g.turn
	g.turn = g.turn[:0]
	for _, l := range turn {
		switch {
		case l.want == 0:
			l.phase = unwanted
		case g.worthwhile(l):
			draw(l)
		default:
			g.turn = append(g.turn, l)
		}
	}
	clear(turn[len(g.turn):])
	rest := g.rest
	g.rest = g.rest[:0]
	for _, l := range rest {
		switch {
		case l.want == 0:
			l.phase = unwanted
		case g.free(l) > 0:
			stand(l)
		default:
			g.rest = append(g.rest, l)
		}
	}
	clear(rest[len(g.rest):])
}

// queue puts a lane into the queue of its phase: backlogged lanes into turn, empty lanes
// into rest.
func (g *group) queue(l *lane, p phase) {
	l.phase = p
	if p == backlogged {
		g.turn = append(g.turn, l)
	} else {
		g.rest = append(g.rest, l)
	}
}

// over ends the lane's pull, also if some of its deliveries have not come.
func (l *lane) over() {
	if l.pull.number != 0 && !l.pull.standing {
		l.group.drawn -= l.pull.left
	}
	l.pull = pull{}
}

// came counts a delivery, and reports whether the lane's pull is over. It counts a
// delivery of an older pull for the present one. Then the lane may receive one message
// too many later, and the subscription gives it back if it exceeds the credit.
func (l *lane) came() bool {
	if l.pull.number == 0 {
		return false
	}
	l.pull.left--
	if !l.pull.standing {
		l.group.drawn--
	}
	if l.pull.left > 0 {
		return false
	}
	l.over()
	return true
}
