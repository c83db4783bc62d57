package democalls

import (
	"context"
	"fmt"
	"time"

	"zasync/pkg/deferred"
)

// SleepArgs are the arguments of Sleep.
type SleepArgs struct {
	For string `json:"for"` // a duration such as 2s
}

const (
	maxSleep = 24 * time.Hour
	tick     = 100 * time.Millisecond
)

func sleep(ctx context.Context, args SleepArgs) (string, error) {
	d, err := time.ParseDuration(args.For)
	if err != nil || d < 0 || d > maxSleep {
		return "", badArguments(fmt.Sprintf(`"for" must be a duration of up to %s, such as "2s", and not %q`, maxSleep, args.For))
	}
	start := time.Now()
	end := time.NewTimer(d)
	defer end.Stop()
	ticks := time.NewTicker(tick)
	defer ticks.Stop()
	for {
		done := min(time.Since(start), d).Round(tick / 2)
		// Progress that cannot be stored is no reason to stop.
		_ = deferred.Report(ctx, deferred.Progress{Done: done.Seconds(), Total: d.Seconds(), Message: "sleeping for " + d.String()})
		select {
		case <-ctx.Done():
			return "", context.Cause(ctx)
		case <-end.C:
			return fmt.Sprintf("slept %s", d), nil
		case <-ticks.C:
		}
	}
}
