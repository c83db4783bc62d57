package jetstream

import (
	"strconv"
	"time"

	"zasync/pkg/dispatch/driver"
)

// A phase is what is known of a lane, and so what may be asked of it. At most
// one pull request is out for each lane: a delivery does not tell which request
// it answers, only its lane.
type phase int

const (
	unwanted   phase = iota
	missing          // its consumer is being made
	backlogged       // messages wait, or may wait: it is in its group's turn
	empty            // nothing waits, and nothing was asked for want of credit
	asked            // a pull request is out
)

// A lane is a consumer to pull from. The subscription's mutex guards it.
type lane struct {
	driver.Lane
	group  *group
	number int    // in the subscription; of the replies
	pulls  string // subject of its pull requests
	want   int
	phase  phase
	pull   pull
	opened time.Time // when its consumer was last seen to be there
}

// A pull is a request for deliveries.
type pull struct {
	number   uint64 // 0: none is out
	standing bool   // waits for one message to come; else takes what is there
	left     int
	deadline time.Time // after that the answer counts as lost
}

const (
	// A frozen process swallows one message a lane, for as long at most.
	standingTime = 10 * time.Second
	standingWait = standingTime + time.Second
	drawWait     = 5 * time.Second
)

var standingRequest = []byte(`{"batch":1,"expires":` + strconv.FormatInt(int64(standingTime), 10) + `}`)

func drawRequest(n int) []byte {
	return []byte(`{"batch":` + strconv.Itoa(n) + `,"no_wait":true}`)
}

func (p *pull) lost(now time.Time) bool { return p.number != 0 && now.After(p.deadline) }

// A group is lanes that share their credit: a delivery counts against it from
// the request that draws it until it is released. Standing pulls do not count,
// else idle lanes would keep credit from busy ones; so they may bring messages
// beyond it, which are given back at once.
type group struct {
	lanes    []*lane
	turn     []*lane // backlogged ones, in the order in which they are served
	rest     []*lane // empty ones
	held     int     // by whoever called Next
	buffered int     // not taken yet
	drawn    int     // asked for and not come yet, standing pulls excepted
}

// free is how many more messages may come to a lane.
func (g *group) free(l *lane) int { return l.want - g.held - g.buffered - g.drawn }

// worthwhile: a request for half of what the lane wants, so that busy lanes are
// served in batches; or for anything, if nothing else is coming.
func (g *group) worthwhile(l *lane) bool {
	free := g.free(l)
	return free >= max(1, l.want/2) || free > 0 && g.drawn == 0 && g.buffered == 0
}

// due takes the lanes of which something is to be asked now out of their
// queues, and gives them to draw and to stand.
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

// queue puts a lane where it is served next: it was seen to be empty or not.
func (g *group) queue(l *lane, p phase) {
	l.phase = p
	if p == backlogged {
		g.turn = append(g.turn, l)
	} else {
		g.rest = append(g.rest, l)
	}
}

// over ends the lane's pull, whatever has not come of it.
func (l *lane) over() {
	if l.pull.number != 0 && !l.pull.standing {
		l.group.drawn -= l.pull.left
	}
	l.pull = pull{}
}

// came counts a delivery, and reports whether the lane's pull is over. One that
// belongs to an older pull is taken for the present one's: then a message more
// than asked may come later, and is given back if it is too much.
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
