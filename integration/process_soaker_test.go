package integration

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/workerpool"
)

// The calls of the soak test.
const (
	soakWork   deferred.Func[soakArgs, soakArgs] = "soak/work"   // returns its arguments
	soakBroken deferred.Func[soakArgs, soakArgs] = "soak/broken" // fails for good
	soakEcho                                     = "soak/echo"   // returns what it is given
)

type soakArgs struct {
	Millis   int `json:"millis"`   // it takes so long
	Failures int `json:"failures"` // it fails so often first
}

// onlyLabel names the one worker that accepts the call.
const onlyLabel = "only"

// soak is a worker that writes down what it performs. It is given a server, its
// name, and the journal that it shares with others.
func soak(ctx context.Context, args []string) error {
	url, name := args[0], args[1]
	slog.SetDefault(slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})))
	journal, err := os.OpenFile(args[2], os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	var mux workerpool.Mux
	mux.Use(writingDown(journal, name))
	workerpool.Register(&mux, soakWork, doSoakWork)
	workerpool.Register(&mux, soakBroken, func(_ context.Context, args soakArgs) (soakArgs, error) {
		return args, deferred.Permanent(&deferred.Failure{Kind: "broken", Message: fmt.Sprint(args.Millis)})
	})
	mux.Handle(soakEcho, func(_ context.Context, in deferred.Content) (deferred.Content, error) { return in, nil })
	accept := func(o deferred.Offer) (bool, string) {
		only, ok := o.Labels[onlyLabel]
		return !ok || only == name, "for another worker"
	}
	return work(ctx, url, &workerpool.Pool{Mux: &mux, Name: name, Accept: accept})
}

func doSoakWork(ctx context.Context, args soakArgs) (soakArgs, error) {
	select {
	case <-time.After(time.Duration(args.Millis) * time.Millisecond):
	case <-ctx.Done():
		return args, context.Cause(ctx)
	}
	if deferred.AttemptFrom(ctx).Failures < args.Failures {
		return args, errors.New("as asked")
	}
	return args, nil
}

// writingDown writes a line, in one write, when a handler begins and when it
// has ended.
func writingDown(journal *os.File, worker string) func(workerpool.Handler) workerpool.Handler {
	return func(h workerpool.Handler) workerpool.Handler {
		return func(ctx context.Context, in deferred.Content) (deferred.Content, error) {
			a := deferred.AttemptFrom(ctx)
			if _, err := fmt.Fprintf(journal, "%s %d %s begun\n", a.ID, a.Number, worker); err != nil {
				return in, err
			}
			out, err := h(ctx, in)
			_, lost := fmt.Fprintf(journal, "%s %d %s ended\n", a.ID, a.Number, worker)
			return out, errors.Join(err, lost)
		}
	}
}

// performance is an attempt as the journal tells of it.
type performance struct {
	attempt int
	worker  string
	begun   int // how often
	ended   int
}

// readSoak gives the performances of each call.
func readSoak(t *testing.T, journal string) map[deferred.ID][]performance {
	t.Helper()
	data, err := os.ReadFile(journal)
	if err != nil {
		t.Fatal(err)
	}
	all := map[deferred.ID][]performance{}
	for line := range strings.Lines(string(data)) {
		var id deferred.ID
		var p performance
		var what string
		if !strings.HasSuffix(line, "\n") {
			break // it is being written
		}
		if _, err := fmt.Sscan(line, &id, &p.attempt, &p.worker, &what); err != nil {
			t.Fatalf("journal: %q: %v", line, err)
		}
		all[id] = noted(all[id], p, what == "ended")
	}
	return all
}

func noted(ps []performance, p performance, ended bool) []performance {
	i := 0
	for i < len(ps) && (ps[i].attempt != p.attempt || ps[i].worker != p.worker) {
		i++
	}
	if i == len(ps) {
		ps = append(ps, p)
	}
	if ended {
		ps[i].ended++
	} else {
		ps[i].begun++
	}
	return ps
}
