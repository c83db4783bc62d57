// Package complaints keeps a log readable while many calls or lanes fail for one cause.
// It logs each cause at once, then once a minute with a count, and once when the cause
// is over.
package complaints

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"
)

// complaintEvery is how often the log repeats a cause. Every retry of the queue comes
// sooner: so a cause without a complaint for that long is over.
const complaintEvery = time.Minute

// maxCauses bounds the table of causes: the text of an error may have a port in it.
const maxCauses = 32

// A Log writes complaints. It is for workers and for implementations of the seams, and
// safe for concurrent use.
type Log struct {
	log *slog.Logger

	mu     sync.Mutex
	causes map[string]*cause
}

// A Complaint is what goes wrong.
type Complaint struct {
	Level slog.Level
	Says  string
	// Over is said when it goes wrong for nobody any more. "": nothing is.
	Over string
	// Cause tells one reason from another. "" is the innermost error of Err.
	Cause string
	Err   error
	// Of is for whom it went wrong, of several: keys and values of the log.
	Of []any
}

// cause is one that was complained of within the last period.
type cause struct {
	latest Complaint
	again  bool                // since the last word in the log
	who    map[string]struct{} // for whom, in this period
	before map[string]struct{} // and in the last
	timer  *time.Timer
}

// New gives complaints that are said in a log.
func New(log *slog.Logger) *Log {
	return &Log{log: log, causes: map[string]*cause{}}
}

// Say complains for one of many.
func (c *Log) Say(who string, what Complaint) {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := c.key(&what)
	now := c.causes[key]
	for other, o := range c.causes {
		if other != key && o.latest.Says == what.Says && o.leave(who) { // another reason now
			c.end(other)
		}
	}
	if now != nil {
		now.latest, now.again = what, true
		now.who[who] = struct{}{}
		return
	}
	now = &cause{latest: what, who: map[string]struct{}{who: {}}}
	now.timer = time.AfterFunc(complaintEvery, func() { c.sum(key, now) })
	c.causes[key] = now
	what.log(c.log)
}

// Over says that nothing that would be said so goes wrong for one of many any more.
func (c *Log) Over(who, says string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	over, left := "", false
	for key, now := range c.causes {
		switch {
		case now.latest.Says != says:
		case now.leave(who):
			c.end(key)
			over = now.latest.Over
		default:
			left = true
		}
	}
	if over != "" && !left {
		c.log.Info(over)
	}
}

func (c *Log) key(what *Complaint) string {
	key := what.Says + "\x00" + what.Cause
	if what.Cause == "" && what.Err != nil {
		key += innermost(what.Err).Error()
	}
	if c.causes[key] == nil && len(c.causes) >= maxCauses {
		return what.Says
	}
	return key
}

func innermost(err error) error {
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(err) {
		err = inner
	}
	return err
}

// sum says at the end of a period for how many it went wrong, if it did again.
func (c *Log) sum(key string, now *cause) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.causes[key] != now {
		return
	}
	if !now.again {
		delete(c.causes, key)
		return
	}
	what := now.latest
	what.Of = append([]any{"count", len(now.who), "within", complaintEvery.String()}, what.Of...)
	what.log(c.log)
	now.again, now.before, now.who = false, now.who, map[string]struct{}{}
	now.timer.Reset(complaintEvery)
}

func (c *Log) end(key string) {
	c.causes[key].timer.Stop()
	delete(c.causes, key)
}

// leave takes one out, and reports whether he was the last.
func (n *cause) leave(who string) (last bool) {
	_, now := n.who[who]
	_, before := n.before[who]
	delete(n.who, who)
	delete(n.before, who)
	return (now || before) && len(n.who)+len(n.before) == 0
}

func (what *Complaint) log(l *slog.Logger) {
	args := what.Of
	if what.Err != nil {
		args = append(args[:len(args):len(args)], "err", what.Err)
	}
	l.Log(context.Background(), what.Level, what.Says, args...) //nolint:forbidigo // a log line is under no call's context
}
