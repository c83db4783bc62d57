package suite

import (
	"errors"
	"slices"
	"testing"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/driver/drivertest"
)

// TestQueue has what a queue does for its callers and workers, beyond the rules
// of the order of writes.
func TestQueue(t *testing.T, clock drivertest.Clock, open func(t *testing.T) Pair) {
	runCases(t, append([]rigCase{
		{"CancelReachesARunningAttempt", cancelRunning},
		{"CancelOfASettledCallSaysHowItEnded", cancelSettled},
		{"CancelOfNothingIsNotFound", cancelNothing},
		{"CallThatMovesIsFound", movingIsFound},
		{"SameCallTwiceIsHarmless", sameTwice},
		{"SecondMessageWithAParentChangesNothing", secondWithAParent},
		{"SecondMessageWithoutATimeChangesNothing", secondWithoutATime},
		{"SecondMessageWithoutAParentChangesNothing", secondWithoutAParent},
		{"DeadlineIsKeptBesideAnotherAlarm", deadlineBesideAnotherAlarm},
		{"DefectThatPanicsEndsNoWorkerAndLosesNoCall", panicLosesNothing},
		{"DefectThatPanicsAfterACommitLosesNothing", panicAfterCommit},
		{"DefectThatPanicsOverWhatIsMalformedEndsNoWorker", panicOverWhatIsMalformed},
		{"DefectThatPanicsWhenACallIsGivenBackEndsNoWorker", panicGivesBack},
		{"OtherCallUnderAnIDIsRefusedAtOnce", otherCall},
		{"SubmitOfManyHasAnErrorForEach", batchErrors},
		{"DelayedCallIsNeverEarly", delayed},
		{"DelayedCallIsScheduledUntilThen", delayedIsShown},
		{"RetriesStopAtTheirLimit", retryLimit},
		{"SnoozeCountsAsNothing", snooze},
		{"DeclinedCallComesAgainUncounted", declined},
		{"ClaimThatIsDeclinedCountsAsNoAttempt", unclaimed},
		{"InterruptedAttemptIsMadeAgainUncounted", interrupted},
		{"PoisonFailsAfterThreeDeaths", poisoned},
		{"SuspectsArePerformedOneAtATime", suspects},
		{"BeginByIsCheckedAgainAfterTheClaim", beginBy},
		{"ResultThatIsTooLargeFailsTheCall", largeResult},
		{"ResultThatIsTooLargeForTheServerFailsTheCall", tooLargeForTheServer},
		{"MalformedMessageIsSetAsideAndFails", malformed},
		{"UnknownCommandIsSetAside", unknownCommand},
		{"AnnotationsAreReadAndWatched", annotations},
		{"AnnotationsNeverGoBackwards", oldAnnotations},
		{"AnnotationAfterTheOutcomeIsRefused", annotationAfterTheOutcome},
		{"AnnotationAfterTheWorkerHasLeftIsRefused", annotationAfterTheLeave},
		{"HandlerThatAwaitsTellsItsWorkerWhileItDoes", handlerThatAwaits},
		{"SettledResultCostsOneRead", oneRead},
		{"LostNewsHangsNobody", lostNews},
		{"ListShowsWhatWaitsAndWhatHasSettled", list},
		{"IntervalFiltersSelectByTheTimesOfRecordsAndMessages", intervalFilters},
	}, slices.Concat(endedCases, confirmCases, closedCases, awayCases, unreadableCases)...), clock, open)
}

func (h *hand) fail(a *deferred.Attempt, err error) {
	h.Helper()
	if err := h.feed.Settle(h.ctx, a, a.OutcomeOf(err)); err != nil {
		h.Errorf("settle: %v", err)
	}
}

func (h *hand) offer() deferred.Offer {
	h.Helper()
	o, err := h.feed.Next(h.ctx)
	if err != nil {
		h.Fatalf("no offer: %v", err)
	}
	return o
}

func cancelRunning(r *rig) {
	w := r.join(r.queue, "greet")
	r.submit(greeting("a"))
	a := w.claim()
	cause := make(chan error, 1)
	a.OnRevoke(func(err error) { cause <- err })
	if err := r.queue.Open("a").Cancel(r.ctx, "not needed"); err != nil {
		r.Fatal(err)
	}
	select {
	case err := <-cause:
		if !errors.Is(err, deferred.ErrCancelled) {
			r.Errorf("revoked because of %v", err)
		}
	case <-r.ctx.Done():
		r.Fatal("the attempt was never told")
	}
	if err := w.feed.Settle(r.ctx, a, deferred.Outcome{State: deferred.Succeeded}); !errors.Is(err, deferred.ErrLost) {
		r.Errorf("a success after the cancel was answered with %v", err)
	}
	if rec := r.await("a", deferred.Cancelled); rec.Failure.Message != "not needed" {
		r.Errorf("reason %q", rec.Failure.Message)
	}
	r.becomesEmpty(driver.Ready)
}

func cancelSettled(r *rig) {
	w := r.join(r.queue, "greet")
	r.submit(greeting("a"))
	w.succeed(w.claim())
	err := r.queue.Open("a").Cancel(r.ctx, "")
	var settled *deferred.SettledError
	if !errors.As(err, &settled) || settled.State != deferred.Succeeded {
		r.Errorf("answered with %v", err)
	}
}

func cancelNothing(r *rig) {
	if err := r.queue.Open("nothing").Cancel(r.ctx, ""); !errors.Is(err, deferred.ErrNotFound) {
		r.Errorf("answered with %v", err)
	}
	if n := r.pending(driver.Commands); n != 0 {
		r.Errorf("%d commands were stored", n)
	}
}

func sameTwice(r *rig) {
	twice := func(existed bool) {
		r.Helper()
		ds, err := r.queue.Submit(r.ctx, greeting("a"))
		if err != nil || ds[0].Existed() != existed {
			r.Fatalf("existed %v (%v), want %v", err == nil && ds[0].Existed(), err, existed)
		}
	}
	twice(false)
	twice(true) // it is queued
	w := r.join(r.queue, "greet")
	a := w.claim()
	twice(true) // it runs
	w.succeed(a)
	twice(true) // it has settled
	w.idle(time.Second)
	if n := r.pending(driver.Ready); n != 0 {
		r.Errorf("%d messages are left", n)
	}
}

func otherCall(r *rig) {
	r.submit(greeting("a"))
	other := greeting("a")
	other.Args = deferred.JSON([]byte(`"moon"`))
	refused := func() {
		r.Helper()
		_, err := deferred.SubmitOne(r.ctx, r.queue, other)
		var inUse *deferred.IDInUseError
		if !errors.As(err, &inUse) || inUse.ID != "a" {
			r.Errorf("answered with %v", err)
		}
	}
	refused()
	w := r.join(r.queue, "greet")
	w.succeed(w.claim())
	refused()
}

func batchErrors(r *rig) {
	bad := greeting("b")
	bad.Name = "no.such.name"
	ds, err := r.queue.Submit(r.ctx, greeting("a"), bad, greeting("c"))
	var batch *deferred.BatchError
	var input *deferred.InputError
	if !errors.As(err, &batch) || batch.Errs[0] != nil || batch.Errs[2] != nil || !errors.As(batch.Errs[1], &input) {
		r.Fatalf("answered with %v", err)
	}
	if ds[0] == nil || ds[1] != nil || ds[2] == nil || input.Field != deferred.FieldName {
		r.Errorf("deferreds %v, field %s", ds, input.Field)
	}
	if n := r.pending(driver.Ready); n != 2 {
		r.Errorf("%d messages, want those of the good calls", n)
	}
}

func delayed(r *rig) {
	w := r.join(r.queue, "greet")
	c := greeting("a")
	c.Delay = 2 * time.Second
	before := time.Now()
	r.submit(c)
	w.succeed(w.claim())
	if early := c.Delay - time.Since(before); early > 0 {
		r.Errorf("it began %v early", early)
	}
}

func delayedIsShown(r *rig) {
	c := greeting("a")
	c.Delay = time.Hour
	r.submit(c)
	shown := func() {
		r.Helper()
		rec, err := r.queue.Record(r.ctx, "a")
		if err != nil || rec.State != deferred.Scheduled || time.Until(rec.NotBefore) < 50*time.Minute {
			r.Errorf("shown as %s, not before %v (%v)", rec.State, rec.NotBefore, err)
		}
	}
	shown() // nobody has met it
	r.join(r.queue, "greet")
	drivertest.Eventually(r.T, "it is parked", func() bool { return r.pending(driver.Delay) == 1 })
	shown()
}
