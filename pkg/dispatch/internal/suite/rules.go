package suite

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"testing"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/driver/drivertest"
)

// TestRules has, for each rule of the order of writes, the case that goes wrong
// when the rule is broken. The rules are in ARCHITECTURE.md.
func TestRules(t *testing.T, clock drivertest.Clock, open func(t *testing.T) Pair) {
	runCases(t, []rigCase{
		{"Rule1CarrierOfARunningCallIsNotDroppedAsADuplicate", ruleCarrier},
		{"Rule1AnotherCallUnderTheIDIsSetAside", ruleAnotherCall},
		{"Rule2RedeliveryDoesNotTakeACallFromALivingWorker", ruleLivingOwner},
		{"Rule2CallOfADeadWorkerIsTakenOver", ruleDeadOwner},
		{"Rule3AdditionToTheRecordDoesNotFenceItsAttempt", ruleFenceIsToken},
		{"Rule3LateAttemptNeitherCommitsNorAcknowledges", ruleZombie},
		{"Rule3LostAnswerOfACommitIsReadBack", ruleReadBack},
		{"Rule3LostAnswerOfAClaimIsReadBack", ruleReadBackClaim},
		{"Rule4RecordThatHasNotMetItsCallDoesNotMakeItADuplicate", ruleStub},
		{"Rule5CancelBeforeTheCallWasSeenStillFiresItsErrbacks", ruleEarlyCancel},
		{"Rule5CancelOfACallNobodyPerformsFiresItsErrbacks", ruleCancelTakesTheCallIn},
		{"Rule6CancelIsFinishedWhenTheCancellerDies", ruleCommandFirst},
		{"Rule7CallbackOfAParentNobodyKnowsFailsAfterTheGraceTime", ruleUnknownParent},
		{"Rule7CallbackThatComesBeforeItsParentRuns", ruleEarlyCallback},
		{"Rule1CallbackThatAFullQueueRefusesIsParked", firedIntoAFullQueue},
		{"Rule8DuplicateDoesNotStartARetryBeforeItsTime", ruleAlarm},
		{"Rule9HeldCallRunsOnceItIsReleased", rulePark},
		{"Rule9DeadlineIsKeptWithoutAWorkerOfTheLane", ruleDeadlineWithoutAWorker},
		{"Rule9DeadlineOfACallbackThatNeedsNotWaitIsKept", ruleDeadlineOfACallbackThatNeedsNotWait},
		{"Rule9DeadlineThatCouldNotBeToldIsToldAgain", ruleDeadlineToldAgain},
		{"Rule10RecordLivesForEverUntilNothingNeedsIt", ruleRetention},
		{"Rule10CancelHoldsForAsLongAsItsCallStandsInALane", ruleCancelOutlivesItsMessage},
		{"Rule10ErrbackOfWhatExpiredInALaneRunsOnce", ruleErrbackOfTheExpiredRunsOnce},
		{"Rule10CancelOfAParkedCallIsForgotten", ruleCancelOfAParkedCallIsForgotten},
		{"Rule10OfTooManyRecordsTheOldestThatSucceededGo", ruleBound},
		{"Rule10AnnotationsGoWithTheirRecord", ruleAnnotations},
		{"Rule10RecordThatIsWrittenMeanwhileIsNotForgotten", writtenWhileForgotten},
		{"Rule10AnnotationThatIsWrittenMeanwhileIsNotSwept", writtenWhileSwept},
		{"Rule10FailureStaysWhileSuccessesSettleUnderTheSweep", settledWhileCounted},
		{"Rule10AnnotationOfANewDeferredIsNotForgottenWithTheOld", notedWhileForgotten},
		{"Rule10OpenRecordsDoNotCountAmongTooMany", ruleBoundOfSettled},
		{"Rule10OfTooManyFailuresTheOldestGo", ruleBoundOfFailures},
		{"Rule10RecordOfWhatNeverCameLivesForAYear", ruleUnmet},
	}, clock, open)
}

// A rigCase is one case on a rig of its own.
type rigCase struct {
	name string
	test func(r *rig)
}

func runCases(t *testing.T, cases []rigCase, clock drivertest.Clock, open func(t *testing.T) Pair) {
	runWithin(t, 3*drivertest.Patience, cases, clock, open) // some have many steps
}

// runWithin runs cases that take so long at most.
func runWithin(t *testing.T, limit time.Duration, cases []rigCase, clock drivertest.Clock, open func(t *testing.T) Pair) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			clock(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), limit)
				defer cancel()
				r := &rig{T: t, ctx: ctx, pair: open(t)}
				r.queue = r.over(r.pair.Store, r.pair.Broker)
				defer r.leave()
				c.test(r)
			})
		})
	}
}

// rig is one case: a queue, and workers that the case moves by hand.
type rig struct {
	*testing.T
	ctx   context.Context //nolint:containedctx // of the test
	pair  Pair
	queue *dispatch.Queue
	hands []*hand
	// inline is what a record takes in of another one's result; 0 is the default.
	inline int
}

func (r *rig) over(s driver.Store, b driver.Broker) *dispatch.Queue {
	return dispatch.New(s, b, dispatch.Config{
		Lease: r.pair.Lease, ParentGrace: 3 * time.Second, InlineResult: r.inline, Logger: silent(),
	})
}

func silent() *slog.Logger { return slog.New(slog.DiscardHandler) }

// hand is a worker of one lane, moved by hand.
type hand struct {
	*rig
	feed deferred.Feed
	lane deferred.Lane
	dead bool
}

func (r *rig) join(q *dispatch.Queue, name string) *hand {
	h := &hand{rig: r, lane: deferred.Lane{Queue: deferred.DefaultQueue, Name: name}}
	var err error
	if h.feed, err = q.Join(r.ctx, deferred.Worker{Name: "worker"}); err != nil {
		r.Fatal(err)
	}
	h.feed.Want(h.lane, 10)
	r.hands = append(r.hands, h)
	return h
}

// leave ends all workers. The dead say no goodbye.
func (r *rig) leave() {
	for _, h := range r.hands {
		limit := drivertest.Patience
		if h.dead {
			limit = time.Second
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.ctx), limit)
		if err := h.feed.Leave(ctx); err != nil && !h.dead {
			r.Error(err)
		}
		cancel()
	}
}

func (h *hand) claim() *deferred.Attempt {
	h.Helper()
	for {
		o, err := h.feed.Next(h.ctx)
		if err != nil {
			h.Fatalf("no offer: %v", err)
		}
		a, err := h.feed.Claim(h.ctx, o)
		if err == nil {
			return a
		}
		if !errors.Is(err, deferred.ErrTaken) {
			h.Fatalf("claim: %v", err)
		}
	}
}

func (h *hand) succeed(a *deferred.Attempt) {
	h.Helper()
	if err := h.feed.Settle(h.ctx, a, deferred.Outcome{State: deferred.Succeeded, Result: deferred.JSON([]byte(`"done"`))}); err != nil {
		h.Errorf("settle: %v", err)
	}
}

// idle fails the test if a call is offered, and can be claimed, for a while.
func (h *hand) idle(d time.Duration) {
	h.Helper()
	ctx, cancel := context.WithTimeout(h.ctx, d)
	defer cancel()
	for {
		o, err := h.feed.Next(ctx)
		if err != nil {
			return
		}
		if a, err := h.feed.Claim(h.ctx, o); err == nil {
			h.Errorf("attempt %d of %s was given", a.Number, a.ID)
		}
	}
}

func (r *rig) submit(calls ...deferred.Call) {
	r.Helper()
	if _, err := r.queue.Submit(r.ctx, calls...); err != nil {
		r.Fatal(err)
	}
}

func (r *rig) put(m driver.Message) {
	r.Helper()
	if err := r.pair.Broker.Put(r.ctx, []driver.Message{m})[0].Err; err != nil {
		r.Fatal(err)
	}
}

// write changes the record of id from outside, as another client would.
func (r *rig) write(id deferred.ID, change func(*deferred.Record)) {
	r.Helper()
	key := driver.Key{Space: driver.Records, Name: string(id)}
	for {
		entries, err := r.pair.Store.Read(r.ctx, []driver.Key{key})
		if err != nil {
			r.Fatal(err)
		}
		rec := deferred.Record{ID: id}
		if entries[0].Revision != 0 {
			if err := json.Unmarshal(entries[0].Value, &rec); err != nil {
				r.Fatal(err)
			}
		}
		change(&rec)
		data, err := json.Marshal(rec)
		if err != nil {
			r.Fatal(err)
		}
		err = r.pair.Store.Write(r.ctx, []driver.Write{{Key: key, Value: data, Expect: entries[0].Revision}})[0].Err
		if err == nil {
			return
		}
		if !errors.Is(err, driver.ErrConflict) {
			r.Fatal(err)
		}
	}
}

func (r *rig) await(id deferred.ID, want deferred.State) deferred.Record {
	r.Helper()
	rec, err := r.queue.Await(r.ctx, id)
	if err != nil {
		r.Fatalf("%s: %v", id, err)
	}
	if rec.State != want {
		r.Errorf("%s has %s (%v), want %s", id, rec.State, rec.Failure, want)
	}
	return rec
}

// pending is how many messages stand on a route.
func (r *rig) pending(route driver.Route) (n int) {
	r.Helper()
	for _, err := range r.pair.Broker.Pending(r.ctx, driver.Page{Route: route}) {
		if err != nil {
			r.Fatal(err)
		}
		n++
	}
	return n
}

func (r *rig) becomesEmpty(route driver.Route) {
	r.Helper()
	drivertest.Eventually(r.T, "no message left on "+string(route), func() bool { return r.pending(route) == 0 })
}

// beyond is longer than any worker's silence is borne.
func (r *rig) beyond() time.Duration { return r.pair.Lease + driver.HeartbeatTTL + time.Second }
