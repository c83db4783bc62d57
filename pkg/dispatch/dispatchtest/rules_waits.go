package dispatchtest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch"
)

// TestRulesOfWaiting has, for what deferreds do that wait for one another, the
// cases that go wrong when a write is left out, or comes in another order. What
// random runs meet once in a hundred happens here each time.
func TestRulesOfWaiting(t *testing.T, clock Clock, open func(t *testing.T) Pair) {
	runCases(t, []rigCase{
		{"JoinLetsGoOfItsMembersThoughItsLastCallbackCouldNotSaySo", untoldByCallback},
		{"JoinLetsGoOfItsMembersThoughTheJoinAboveItCouldNotSaySo", untoldByJoin},
		{"CallbackThatWaitsExpiresByTheFirstOfItsTimes", waitingCallbackExpires},
		{"JoinOfSomebodyUnseenLooksNoLongerThanUntilItsDeadline", unseenMemberAndDeadline},
		{"JoinThatCannotBeNotedWithItsMemberLooksByItself", crowdedMember},
		{"ErrbackOfAParentNobodyKnowsFailsAndDoesNotRun", errbackOfNobody},
		{"ErrbackRunsOfAParentWhoseOwnIsUnknown", errbackOfAnOrphan},
		{"CallbackGoesIntoItsLaneOnceHoweverOftenItIsWoken", forwardedOnce},
		{"CallbackDoesNotStandInItsLaneBeforeItsTime", forwardedToItsTime},
		{"CallbackThatHasWaitedKeepsItsTerms", forwardedWithItsTerms},
		{"ReleaseHasTheScheduleFireAtOnce", releaseRings},
		{"ReleaseOfOneWhoDiedHasTheScheduleFireAtOnce", releaseRingsForTheDead},
		{"ReleaseOfACallInItsLaneMakesNoSecondMessage", releaseInItsLane},
		{"JoinSettlesWithTheMemberThatDecidesAndNotBefore", decisiveMembers},
		{"ExpiryOfAnAdopterReachesTheInnerAndThatOfAJoinDoesNot", expiryPassesOn},
		{"LosersOfARaceAreCancelledAndTheWinnerIsNotTold", losersAreCancelled},
		{"CancelledRecordSaysByWhomAndKeepsTheArguments", cancelledRecord},
		{"CancelOfARetryTakesNothingTwice", cancelOfARetry},
		{"ThreeThatWaitForOneAnotherAreRefused", cycleOfThree},
		{"WhatHasSettledMakesNoCycle", noCycleOverWhatHasSettled},
		{"MemberThatWaitsForItsJoinIsRefused", cycleByAddition},
		{"MemberWithAMessageOrARecordIsNotUnknown", knownMembers},
		{"MemberNobodyKnowsSettledLast", unknownMemberIsLast},
		{"OfMembersThatHadSettledTheEarliestDecides", earliestDecides},
		{"AlarmGoesWithWhatHasWaited", alarmGoes},
		{"FailureIsListedThoughItsEntryWasRefusedOnce", listedAfterAll},
		{"FailureSeenByOneWhoDiedIsListedNoLonger", unlistedForTheDead},
		{"CallbackOnTheOtherBranchSettlesWithoutAWorker", otherBranchWithoutAWorker},
		{"ScheduleOfACallThatWasCancelledMeanwhileGoes", parkedWhenCancelled},
		{"ScheduleOfACallThatNobodyHasMetStays", scheduleOfAnUnseenCall},
		{"MembersOfALargeJoinAreKeptForAsLongAsItIs", largeMembersAreKept},
		{"LargeResultIsPassedOnWhole", largeResultIsPassedOn},
		{"RaceIsDecidedByAMemberNobodyKnows", raceOfAnUnknown},
		{"JoinIsWokenByTheFirstThatIsOpenAndByWhatDecides", fewWakes},
		{"RecordThatGoesMeanwhileNeedsNoMark", recordGoesMeanwhile},
		{"SettledCallbackDoesNotHangItselfOnItsParentAgain", settledCallbackStaysOff},
		{"WhatTheRecordAnswersIsNotCommanded", answeredByTheRecord},
		{"HoldThatWasOvertakenDoesNotHold", overtakenHold},
		{"EqualWordOfAnotherIsNotTheOneThatCounts", equalWords},
		{"WrongTokensSettleNothing", wrongTokens},
		{"LargeResultHasTheOutcomeOfAMemberNobodyKnows", largeWithAnUnknown},
		{"LargeResultWhosePartsAreGoneIsNotFound", largeWithoutItsMembers},
		{"ResultIsLargeWithWhatTheListPutsAroundIt", largeByItsFrame},
		{"JoinTakesMembersBeforeItIsMet", membersBeforeTheJoin},
		{"TokenOfAPromiseThatNobodyMetIsNotJudged", tokenOfTheUnmet},
		{"FailureIsListedAfterItsGrace", listedAfterItsGrace},
		{"EntryThatIsNotTrueAnyMoreIsTakenOff", staleEntryGoes},
		{"CausesOfManyAreNamedUpToANumber", manyCauses},
		{"HoldOfOneWhoDiedHoldsWhatHasNotStarted", heldForTheDead},
		{"OfHoldAndReleaseTheLaterWordCounts", laterWordCounts},
		{"WordOfADeadlineThatHasNotPassedIsNone", untrueExpiry},
		{"WordForAPromiseWaitsForItThoughItHasARecord", earlyWordForAStub},
		{"MembersThatAreAddedCountOnce", addedMembers},
		{"OnlyAJoinTakesMembers", addedToNoJoin},
		{"ManyFailuresAreListedOnceEach", manyListed},
		{"NoticeThatWasRefusedSilencesNobody", refusedNotice},
		{"WakeOfAWideJoinReadsFew", wideReadsFew},
		{"AlarmThatIsStoredLateDoesNotReplaceTheScheduleOfItsCall", lateAlarm},
	}, clock, open)
}

// tapped are seams that a case looks into: put and write are asked before each
// message and each write, and an error is the answer in its place. stored is told
// of each message that is, and settled of each verdict but the keeping of leases.
type tapped struct {
	put     func(m dispatch.Message) error
	stored  func(m dispatch.Message)
	settled func(s dispatch.Settlement)
	write   func(w dispatch.Write) error
}

func (r *rig) tap(t tapped) *dispatch.Queue {
	return r.over(tappedStore{r.pair.Store, t}, tappedBroker{r.pair.Broker, t})
}

type tappedBroker struct {
	dispatch.Broker
	tapped
}

func (b tappedBroker) Put(ctx context.Context, messages []dispatch.Message) []dispatch.Stored {
	answers := make([]dispatch.Stored, len(messages))
	for i, m := range messages {
		if b.put != nil {
			answers[i].Err = b.put(m)
		}
		if answers[i].Err == nil {
			answers[i] = b.Broker.Put(ctx, messages[i:i+1])[0]
		}
		if answers[i].Err == nil && b.stored != nil {
			b.stored(m)
		}
	}
	return answers
}

func (b tappedBroker) Settle(ctx context.Context, settlements []dispatch.Settlement) error {
	err := b.Broker.Settle(ctx, settlements)
	for _, s := range settlements {
		if b.settled != nil && s.Verdict != dispatch.Extend {
			b.settled(s)
		}
	}
	return err
}

type tappedStore struct {
	dispatch.Store
	tapped
}

func (s tappedStore) Write(ctx context.Context, writes []dispatch.Write) []dispatch.Written {
	answers := make([]dispatch.Written, len(writes))
	for i, w := range writes {
		if s.write != nil {
			answers[i].Err = s.write(w)
		}
		if answers[i].Err == nil {
			answers[i] = s.Store.Write(ctx, writes[i:i+1])[0]
		}
	}
	return answers
}

var errOnce = errors.New("dispatchtest: refused once")

// leaveNow ends the worker before the case ends.
func (h *hand) leaveNow() {
	h.Helper()
	h.hands = slices.DeleteFunc(h.hands, func(other *hand) bool { return other == h })
	if err := h.feed.Leave(h.ctx); err != nil {
		h.Fatal(err)
	}
}

// record is what is stored under the id; a zero record if nothing is.
func (r *rig) record(id deferred.ID) deferred.Record {
	r.Helper()
	ctx := context.WithoutCancel(r.ctx) // to be read in the end, too
	entries, err := r.pair.Store.Read(ctx, []dispatch.Key{{Space: dispatch.Records, Name: string(id)}})
	if err != nil {
		r.Fatal(err)
	}
	var rec deferred.Record
	if entries[0].Revision != 0 {
		if err := rec.UnmarshalJSON(entries[0].Value); err != nil {
			r.Fatal(err)
		}
	}
	return rec
}

// comesToBe waits until the stored record is as it should be.
func (r *rig) comesToBe(id deferred.ID, what string, holds func(rec *deferred.Record) bool) {
	r.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for rec := r.record(id); !holds(&rec); rec = r.record(id) {
		select {
		case <-tick.C:
		case <-r.ctx.Done():
			r.Fatalf("waited in vain: %s %s; it is %s, waits %+v", id, what, rec.State, rec.Waits)
		}
	}
}

func waiting(rec *deferred.Record) bool { return rec.State == deferred.Waiting }

func released(rec *deferred.Record) bool { return rec.Waits != nil && rec.Waits.Released }

// joinOf is a call that joins the members.
func joinOf(id deferred.ID, m deferred.JoinMode, members ...deferred.ID) deferred.Call {
	return deferred.Call{ID: id, Name: "join", Join: &deferred.Join{Mode: m, Members: members}}
}
