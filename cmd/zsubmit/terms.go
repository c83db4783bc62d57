package main

import (
	"time"

	"zasync/cmd/internal/cmdline"
	"zasync/pkg/deferred"

	"github.com/urfave/cli/v2"
)

// readTerms reads what is agreed on beside the arguments: when, how often, and
// what follows.
func (o *callOptions) readTerms(c *cli.Context, now time.Time) (err error) {
	if c.IsSet("in") && c.IsSet("at") {
		return cmdline.Usagef("--in and --at exclude each other")
	}
	if o.waiting.limit > 0 && !o.wait {
		return cmdline.Usagef("--wait-for needs --wait")
	}
	o.call.Delay = c.Duration("in")
	if o.call.Retries, err = readRetries(c); err != nil {
		return err
	}
	if at := c.String("at"); at != "" {
		if o.call.NotBefore, err = readTime("at", at, now); err != nil {
			return err
		}
	}
	if by := c.String("begin-by"); by != "" {
		if o.call.BeginBy, err = readTime("begin-by", by, now); err != nil {
			return err
		}
	}
	if err := o.checkOrder(now); err != nil {
		return err
	}
	if o.call.Timeout = c.Duration("timeout"); c.IsSet("timeout") && o.call.Timeout <= 0 {
		return cmdline.Usagef("--timeout %s is not above 0", o.call.Timeout)
	}
	if err := o.readAfter(c); err != nil {
		return err
	}
	return o.readLimits(c, now)
}

func deadlineFlag() cli.Flag {
	return &cli.StringFlag{Name: "deadline", Usage: "let it expire unless it has ended by `TIME`"}
}

func keepFlag() cli.Flag {
	return &cli.DurationFlag{Name: "keep", Usage: "keep its record for `DURATION` once it has ended", DefaultText: "by the outcome"}
}

// readLimits reads what holds also for that which is not performed.
func (o *callOptions) readLimits(c *cli.Context, now time.Time) (err error) {
	if by := c.String("deadline"); by != "" {
		if o.call.Deadline, err = readTime("deadline", by, now); err != nil {
			return err
		}
	}
	o.call.Keep = c.Duration("keep")
	if o.call.Labels, err = readLabels(c.StringSlice("label"), false); err != nil {
		return err
	}
	return o.readCallbacks(c)
}

// checkOrder refuses a call that must have begun before it may.
func (o *callOptions) checkOrder(now time.Time) error {
	start, flag := o.call.NotBefore, "--at"
	if o.call.Delay > 0 {
		start, flag = now.Add(o.call.Delay), "--in"
	}
	if by := o.call.BeginBy; !by.IsZero() && by.Before(start) {
		return cmdline.Usagef("--begin-by lies before %s: the call would expire before it may start", flag)
	}
	return nil
}

// readRetries turns the number into that of a call, where 0 is the default.
func readRetries(c *cli.Context) (int, error) {
	n := c.Int("retries")
	switch {
	case n < 0:
		return 0, cmdline.Usagef("--retries %d is below 0", n)
	case n == 0:
		return deferred.NoRetries, nil
	case !c.IsSet("retries"):
		return 0, nil
	}
	return n, nil
}
