package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/pprof"
	"time"
)

// A contest is the same work done by both sides.
type contest struct {
	what    string
	n       int
	bar     bar
	prepare func(context.Context, *place) error // not timed; may be nil
	ours    func(context.Context, *place) error
	floor   func(context.Context, *place) error
	check   func(context.Context, *place) error // that the work was done; not timed
}

// hold has both sides take turns, and adds a row of rates.
func (b *bench) hold(ctx context.Context, c contest) error {
	r := row{What: c.what, Unit: perSecond, Bar: c.bar}
	for i := range b.rounds {
		var x round
		var err error
		if b.takesPart("floor") {
			if x.Floor, err = b.turn(ctx, &c, "floor", c.floor); err != nil {
				return err
			}
		}
		if b.takesPart("ours") {
			if x.Ours, err = b.turn(ctx, &c, "ours", c.ours); err != nil {
				return err
			}
		}
		r.Rounds = append(r.Rounds, x)
		fmt.Fprintf(b.notes, "%s, round %d of %d: ours %s, floor %s\n", c.what, i+1, b.rounds, x.Ours, x.Floor)
	}
	r.conclude()
	b.rows = append(b.rows, r)
	return nil
}

// A turn is how one side did. The CPU time of a call suffers less from what else
// the machine does than the rate.
type turn struct {
	Rate   float64 `json:"rate"`
	Client float64 `json:"client_us"` // of CPU, per call
	Server float64 `json:"server_us"`
}

func (t turn) cpu() float64 { return t.Client + t.Server }

func (t turn) String() string {
	return fmt.Sprintf("%.0f/s (CPU per call %.1f + %.1f us)", t.Rate, t.Client, t.Server)
}

// turn has one side work in a fresh place. Its label is on everything that it
// starts, its connection included.
func (b *bench) turn(ctx context.Context, c *contest, side string, work func(context.Context, *place) error) (t turn, err error) {
	pprof.Do(ctx, pprof.Labels("side", side), func(ctx context.Context) {
		var p *place
		if p, err = b.open(ctx); err != nil {
			return
		}
		defer p.close(ctx)
		if c.prepare != nil {
			if err = c.prepare(ctx, p); err != nil {
				return
			}
		}
		if t, err = b.time(c.n, func() error { return work(ctx, p) }); err == nil {
			err = c.check(ctx, p)
		}
	})
	if err != nil {
		return t, fmt.Errorf("%s, %s: %w", c.what, side, err)
	}
	return t, nil
}

// time measures the work on n calls.
func (b *bench) time(n int, work func() error) (t turn, err error) {
	runtime.GC() // nobody pays for the garbage of the one before
	server, err := b.server.cpuTime()
	if err != nil {
		return t, err
	}
	client, start := cpuTime(), time.Now()
	if err := work(); err != nil {
		return t, err
	}
	took := time.Since(start)
	client = cpuTime() - client
	after, err := b.server.cpuTime()
	each := func(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) / float64(n) }
	return turn{Rate: float64(n) / took.Seconds(), Client: each(client), Server: each(after - server)}, err
}
