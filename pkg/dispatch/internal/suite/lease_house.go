package suite

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/driver/drivertest"
)

var houseLeaseCases = []rigCase{
	{"MachineThatStoodStillTakesNobodyForDead", machineStoodStill},
	{"WorkerThatLeavesKeepsWhatItDealsWithThoughADeadlineCannotBeTold", leavesWhileOverdue},
	{"AnnotationIsStoredWhileItsWorkerLeaves", annotatesWhileLeaving},
	{"ClaimsThatAreDeclinedWhileTheirWorkerLeavesAreTakenBack", declinesWhileLeaving},
	{"CallThatMayHaveBeenPerformedBeforeIsPerformedWithAWarning", warnedOf},
	{"CallThatComesAgainInTimeIsPerformedWithoutAWarning", notWarnedOf},
}

// stillBeats are a store to which no heartbeat comes while it stands still: that of
// all processes of a machine.
type stillBeats struct{ *freezer }

func (s stillBeats) Write(ctx context.Context, w []driver.Write) []driver.Written {
	if w[0].Space == driver.Workers {
		s.wait()
	}
	return s.Store.Write(ctx, w)
}

// Two workers of one machine. A second message of the call, which one of them performs,
// comes to the other right after the machine has stood still.
func machineStoodStill(r *rig) {
	still := &freezer{Store: r.pair.Store, Broker: r.pair.Broker}
	q := r.over(stillBeats{still}, r.pair.Broker)
	w, other := r.join(q, "greet"), r.join(q, "other")
	r.submit(greeting("a"))
	a := w.claim()
	r.pass(driver.HeartbeatTTL + time.Second) // both are known for long enough
	still.freeze()
	drivertest.Eventually(r.T, "nobody has a heartbeat", func() bool {
		workers, err := r.queue.Workers(r.ctx)
		return err == nil && len(workers) == 0
	})
	w.feed.Want(w.lane, 0)
	other.feed.Want(w.lane, 10)
	r.put(again("a"))
	other.idle(2 * time.Second)
	still.thaw()
	w.succeed(a)
	if rec := r.await("a", deferred.Succeeded); rec.Attempt != 1 || rec.Counts.Deaths != 0 {
		r.Errorf("attempt %d after %d deaths, want the first", rec.Attempt, rec.Counts.Deaths)
	}
}

// warnings remember what is warned of.
type warnings struct {
	slog.Handler
	mu   sync.Mutex
	said []string
}

func (w *warnings) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelWarn }

func (w *warnings) WithAttrs([]slog.Attr) slog.Handler { return w }

func (w *warnings) Handle(_ context.Context, rec slog.Record) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.said = append(w.said, rec.Message)
	return nil
}

func (w *warnings) about(text string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.ContainsFunc(w.said, func(s string) bool { return strings.Contains(s, text) })
}

// comesAgain has a call come to a worker that dies before it claims it, and to another
// one when it is so old.
func (r *rig) comesAgain(keep, age time.Duration) (warned bool) {
	first, kill := r.joinMortal("greet")
	r.submit(greeting("a"))
	if _, err := first.feed.Next(r.ctx); err != nil {
		r.Fatal(err)
	}
	kill()
	r.pass(age)
	heard := &warnings{}
	w := r.join(dispatch.New(r.pair.Store, r.pair.Broker, dispatch.Config{
		Lease: r.pair.Lease, KeepSucceeded: keep, Logger: slog.New(heard),
	}), "greet")
	w.succeed(w.claim())
	r.await("a", deferred.Succeeded)
	return heard.about("may have been performed before")
}

func warnedOf(r *rig) {
	if !r.comesAgain(time.Second, 2*time.Second) {
		r.Error("nobody is warned")
	}
}

func notWarnedOf(r *rig) {
	if r.comesAgain(time.Hour, 2*time.Second) {
		r.Error("somebody is warned of what comes again in time")
	}
}
