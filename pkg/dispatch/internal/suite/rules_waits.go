package suite

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/driver/drivertest"
)

// TestRulesOfWaiting has, for what deferreds do that wait for one another, the
// cases that go wrong when a write is left out, or comes in another order. What
// random runs meet once in a hundred happens here each time.
func TestRulesOfWaiting(t *testing.T, clock drivertest.Clock, open func(t *testing.T) Pair) {
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
		{"CancelReachesACallbackThatWasNotFiredThoughTheWordWasRefusedOnce", cancelUnfiredRefused},
		{"CancelReachesACallbackThatWasNotFiredThoughAnAnswerWasLost", cancelUnfiredUnanswered},
		{"CancelledRecordSaysByWhomAndKeepsTheArguments", cancelledRecord},
		{"CancelOfARetryTakesNothingTwice", cancelOfARetry},
		{"ThreeThatWaitForOneAnotherAreRefused", cycleOfThree},
		{"WhatHasSettledMakesNoCycle", noCycleOverWhatHasSettled},
		{"MemberThatWaitsForItsJoinIsRefused", cycleByAddition},
		{"MemberWithAMessageOrARecordIsNotUnknown", knownMembers},
		{"MemberThatIsPerformedBetweenTheLooksIsNotUnknown", memberPerformedBetween},
		{"CallThatIsPerformedBetweenTheLooksIsFound", recordOfWhatIsPerformedBetween},
		{"WordForAPromiseThatIsMetBetweenTheLooksCounts", promiseMetBetween},
		{"MemberNobodyKnowsSettledLast", unknownMemberIsLast},
		{"OfMembersThatHadSettledTheEarliestDecides", earliestDecides},
		{"EarliestDecidesThoughItWasReadTooEarly", earlierThoughReadOpen},
		{"AlarmGoesWithWhatHasWaited", alarmGoes},
		{"FailureIsListedThoughItsEntryWasRefusedOnce", listedAfterAll},
		{"FailureSeenByOneWhoDiedIsListedNoLonger", unlistedForTheDead},
		{"FailureThatIsListedWhileAnOldEntryIsReadStays", listedWhileRead},
		{"CallbackOnTheOtherBranchSettlesWithoutAWorker", otherBranchWithoutAWorker},
		{"ScheduleOfACallThatWasCancelledMeanwhileGoes", parkedWhenCancelled},
		{"ScheduleOfACallThatNobodyHasMetStays", scheduleOfAnUnseenCall},
		{"MembersOfALargeJoinAreKeptForAsLongAsItIs", largeMembersAreKept},
		{"LargeResultIsPassedOnWhole", largeResultIsPassedOn},
		{"RaceIsDecidedByAMemberNobodyKnows", raceOfAnUnknown},
		{"JoinIsWokenByTheFirstThatIsOpenAndByWhatDecides", fewWakes},
		{"RecordThatGoesMeanwhileNeedsNoMark", recordGoesMeanwhile},
		{"RecordThatGoesMeanwhileHoldsNothing", holderGoesMeanwhile},
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
		{"CallbackGoesIntoItsLaneThoughThatWasRefusedOnce", forwardRefused},
		{"CancelPassesOnThoughThatWasRefusedOnce", passingOnRefused},
		{"MemberThatSettlesWhileTheJoinTurnsToItIsNoticed", settledMeanwhile},
		{"CommandWhoseWriteHasNoAnswerIsAnsweredWhenItIsDone", writeWithoutAnswer},
		{"AlarmThatIsStoredLateDoesNotReplaceTheScheduleOfItsCall", lateAlarm},
	}, clock, open)
}

var errOnce = errors.New("suite: refused once")

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
	entries, err := r.pair.Store.Read(ctx, []driver.Key{{Space: driver.Records, Name: string(id)}})
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

// unwanted: a deferred has let go of the record.
func unwanted(by deferred.ID) func(rec *deferred.Record) bool {
	return func(rec *deferred.Record) bool { e := rec.Attached(by); return e == nil || e.Settled }
}

func waiting(rec *deferred.Record) bool { return rec.State == deferred.Waiting }

func released(rec *deferred.Record) bool { return rec.Waits != nil && rec.Waits.Released }

// joinOf is a call that joins the members.
func joinOf(id deferred.ID, m deferred.JoinMode, members ...deferred.ID) deferred.Call {
	return deferred.Call{ID: id, Name: "join", Join: &deferred.Join{Mode: m, Members: members}}
}
