package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"zasync/cmd/internal/cmdline"
	"zasync/cmd/internal/connect"
	"zasync/cmd/internal/terminal"
	"zasync/pkg/deferred"

	"github.com/urfave/cli/v2"
)

// waiting waits for the end of calls, and shows what happens meanwhile: on a
// terminal by a bar, otherwise not at all, or by a line per change.
type waiting struct {
	streams
	limit   time.Duration // 0 is for ever
	verbose bool
}

func waitForFlag() cli.Flag {
	return &cli.DurationFlag{Name: "wait-for", Usage: "give up waiting after `DURATION`", DefaultText: "never"}
}

func verboseFlag() cli.Flag {
	return &cli.BoolFlag{Name: "verbose", Aliases: []string{"v"}, Usage: "while waiting, print a line for each change", DisableDefaultText: true}
}

func readWaiting(c *cli.Context, s streams) (waiting, error) {
	w := waiting{streams: s, limit: c.Duration("wait-for"), verbose: c.Bool("verbose")}
	if w.limit < 0 {
		return w, cmdline.Usagef("--wait-for %s is below 0", w.limit)
	}
	return w, nil
}

var errGaveUp = errors.New("gave up waiting")

// run waits for the calls in their order. The code of the first that did not
// succeed is the program's.
func (w waiting) run(ctx context.Context, q *connect.Session, p *printer, ids ...deferred.ID) error {
	ctx, cancel := w.limited(ctx)
	defer cancel()
	err := w.each(ids, func(id deferred.ID) error {
		r, err := w.await(ctx, q, id)
		if err != nil {
			return w.explain(ctx, id, err)
		}
		return w.conclude(p, &r)
	})
	return errors.Join(err, p.close())
}

func (w waiting) limited(ctx context.Context) (context.Context, context.CancelFunc) {
	if w.limit == 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeoutCause(ctx, w.limit, errGaveUp)
}

// unseen is how long an id may be unknown: that of a callback is known to
// those who hold its parent's record a moment before it is stored.
const unseen = 2 * time.Second

func (w waiting) await(ctx context.Context, q *connect.Session, id deferred.ID) (deferred.Record, error) {
	if err := known(ctx, q, id); err != nil {
		return deferred.Record{}, err
	}
	var drawn *bars
	if !w.verbose && terminal.Is(w.err) {
		drawn = newBars(w.err, id)
		defer drawn.close()
	}
	stop := warnSoon(ctx, q, id, func(text string) {
		if drawn != nil {
			drawn.drawn.Println("zsubmit: " + text)
			return
		}
		w.notef("%s", text)
	})
	defer stop()
	switch {
	case w.verbose:
		return followWhole(ctx, q, id, reach{}, newLines(w.err))
	case drawn != nil:
		return followWhole(ctx, q, id, reach{above: true}, drawn)
	}
	return q.Await(ctx, id)
}

func followWhole(ctx context.Context, q *connect.Session, id deferred.ID, r reach, v view) (deferred.Record, error) {
	settled, err := follow(ctx, q, id, r, v)
	if err != nil {
		return settled, err
	}
	return whole(ctx, q, settled)
}

type awaiter interface {
	Await(ctx context.Context, id deferred.ID) (deferred.Record, error)
}

// whole is a settled record with its result, also one that is too large to be
// stored in it.
func whole(ctx context.Context, q awaiter, r deferred.Record) (deferred.Record, error) {
	if r.ResultOf == "" {
		return r, nil
	}
	return q.Await(ctx, r.ID)
}

// known reports ErrNotFound for an id that nothing is known of.
func known(ctx context.Context, q *connect.Session, id deferred.ID) error {
	_, err := q.Record(ctx, id)
	if !errors.Is(err, deferred.ErrNotFound) {
		return err
	}
	soon, cancel := context.WithTimeout(ctx, unseen)
	defer cancel()
	if _, err := q.Await(soon, id); err == nil {
		return nil
	}
	_, err = q.Record(ctx, id)
	return err
}

// conclude prints how a call ended: the result, or why there is none.
func (w waiting) conclude(p *printer, r *deferred.Record) error {
	if err := p.print(r); err != nil {
		return err
	}
	if r.State == deferred.Succeeded {
		return nil
	}
	w.notef("%s", terminal.Escape(ending(r)))
	return &cmdline.ExitError{Code: cmdline.StateCode(r.State)}
}

// ending is one line on a call that did not succeed.
func ending(r *deferred.Record) string {
	text := fmt.Sprintf("%s %s", r.ID, r.State)
	switch {
	case r.Failure == nil:
		return text
	case r.Failure.Kind == string(r.State):
		return text + ": " + r.Failure.Message
	}
	return text + ": " + failureText(r.Failure)
}

// explain tells one who no longer waits how to go on.
func (w waiting) explain(ctx context.Context, id deferred.ID, err error) error {
	switch {
	case errors.Is(context.Cause(ctx), errGaveUp):
		err = fmt.Errorf("%s has not ended after %s; it goes on, and \"zsubmit wait %s\" waits again", id, w.limit, id)
	case ctx.Err() != nil:
		err = fmt.Errorf("no longer waiting for %s; it goes on, and \"zsubmit wait %s\" waits again", id, id)
	default:
		return err
	}
	return &cmdline.ExitError{Code: cmdline.GaveUp, Err: err}
}

// each does something to every id, also when it failed for one, unless nobody
// waits any more.
func (s streams) each(ids []deferred.ID, do func(deferred.ID) error) error {
	first := cmdline.Done
	for _, id := range ids {
		err := do(id)
		code := cmdline.Code(err)
		if first == cmdline.Done {
			first = code
		}
		var exit *cmdline.ExitError
		if err != nil && (!errors.As(err, &exit) || exit.Err != nil) {
			s.notef("%s", cmdline.Message(err))
		}
		if code == cmdline.GaveUp {
			break
		}
	}
	if first == cmdline.Done {
		return nil
	}
	return &cmdline.ExitError{Code: first}
}
