package suite

import (
	"errors"
	"slices"
	"testing"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver/drivertest"
)

// TestDeferreds has what deferreds promise beyond single calls: callbacks,
// joins, promises.
func TestDeferreds(t *testing.T, clock drivertest.Clock, open func(t *testing.T) Pair) {
	runCases(t, slices.Concat(callbackCases, joinCases, innerCases, promiseCases, noteCases, commandCases, oddNoteCases, seenCases, goneCases, resultCases, deepCases, staleCases, hostileCases, clockCases, roomCases, rightsCases, numberCases), clock, open)
}

var callbackCases = []rigCase{
	{"CallbackAddedBeforeWhileAndAfterRunsOnce", attachAnyTime},
	{"CallbackThatWaitsKeepsItsArgumentsHoweverTheyAreWritten", attachWithArguments},
	{"AdderNeverPerformsTheCallback", adderNeverPerforms},
	{"CallbackAddedWhileItsParentCommitsRunsOnce", addedInTheCommit},
	{"CallbackAddedWhileTheLastOneFinishesRunsOnce", addedAtTheLast},
	{"CallbackWhoseParentSettlesUnnoticedIsPending", addedUnnoticed},
	{"CallbackOfACallbackRuns", callbackOfACallback},
	{"ErrbackThatReturnsNormallyRecovers", errbackRecovers},
	{"ErrbackThatReturnsItsFailurePassesItOnUnchanged", errbackPassesOn},
	{"ErrbackThatFailsInTheWordsOfItsParentIsTriedAgain", errbackFailsAlike},
	{"CallbackUnderAFailurePassesItUnchanged", passesFailureUnchanged},
	{"ErrbackUnderASuccessPassesItUnchanged", passesValueUnchanged},
	{"ErrbackDoesNotSeeItsNeighboursFailure", neighbours},
	{"ErrbackBesideACallbackMayBeAddedByItself", errbackBeside},
	{"ErrbackIsChosenByTheKindOfFailure", byKind},
	{"ErrbackThatTravelsIsChosenByTheKindOfFailure", byKindOnTheWay},
	{"SiblingsAreCalledWithTheSameOutcome", siblings},
	{"TwoLanesAreAddedInOneMessage", twoLanesAreOneMessage},
	{"CallbackKeepsItsTermsWhileItWaits", termsOfTheLate},
	{"CallbackThatWaitsIsNotBegunAfterItsTime", beginByOfTheLate},
	{"CallbackOnWhatNobodyEverSawFails", attachUnknown},
	{"FailureNobodyTookOnIsListedUntilItIsHandled", unhandledIsListed},
	{"FailureAfterTheRaceWasOverIsListed", unhandledAfterTheRace},
	{"CancelOfACallbackThatWasNotFiredHolds", cancelUnfired},
	{"CancelOfAnAddedCallbackThatWasNotFiredLeavesItsParentAlone", cancelUnfiredLate},
	{"CancelOfACallbackThatWasFiredKeepsItFromRunning", cancelFired},
	{"HoldOfACallbackThatWasNotFiredHolds", holdUnfired},
	{"HoldOfAnAddedCallbackIsRefusedUntilItIsFired", holdUnfiredLate},
	{"HoldOfACallbackThatWasFiredKeepsItBack", holdFired},
	{"DeadlineCoversNoLaterLevel", deadlineOfEarlierLevels},
	{"DeadlineCoversNoEarlierLevel", deadlineOfLaterLevels},
}

var joinCases = []rigCase{
	{"AllOfNoneIsAnEmptyList", allOfNone},
	{"AllOfOneEndsWithIt", allOfOne},
	{"AllOfMixedMembersHasTheFirstFailure", allOfMixed},
	{"AllOfACancelledMemberHasFailed", allOfACancelled},
	{"AllHasResultsInInputOrder", allInOrder},
	{"AllFailsAtTheFirstFailure", allFailsEarly},
	{"AllSettledOfNoneIsAnEmptyList", settledOfNone},
	{"AllSettledOfOneHasItsOutcome", settledOfOne},
	{"AllSettledOfMixedMembersHasTheirOutcomesInInputOrder", settledOfMixed},
	{"AnyOfNoneHasFailed", anyOfNone},
	{"AnyOfOneEndsWithIt", anyOfOne},
	{"AnyOfMixedMembersHasTheFirstSuccess", anyOfMixed},
	{"AnyOfFailuresHasAllOfThemInInputOrder", anyOfFailures},
	{"RaceOfNoneIsRefused", raceOfNone},
	{"RaceOfOneSettlesAsItDoes", raceOfOne},
	{"RaceOfMixedMembersSettlesAsTheFirst", raceOfMixed},
	{"JoinTooLargeToBeStoredIsWholeWhenAwaited", largeJoin},
	{"JoinTooLargeToBeStoredIsGivenWholeToWhatFollows", largeIsGiven},
	{"JoinTakesMembersWhileItWaitsAndRefusesLaterOnes", membersAreAdded},
	{"CancelRestSparesWhatOthersWant", cancelRest},
	{"CancelRestSparesWhatAnyoneElseWaitsFor", restIsWanted},
	{"CancelRestReachesTheMembersOfALoserThatIsAJoin", restIsAJoin},
	{"CancelRestSparesAMemberOfALoserThatIsWanted", restOfALoserIsWanted},
	{"CancelRestRunsTheErrbacksOfALoser", restHasErrbacks},
	{"CancelRestOfAnAllThatFailedCancelsTheOthers", restOfAFailedAll},
	{"LosersGoOnUnlessTheyAreToBeCancelled", restIsLeft},
	{"DeadlineOfAJoinLeavesItsMembersAlone", deadlineJoin},
}

var innerCases = []rigCase{
	{"AdoptionThreeDeep", adoptThree},
	{"AdoptionThreeDeepHandsOutAValueUnchanged", innerSucceeds},
	{"AdoptionThreeDeepHandsOutAFailureUnchanged", innerFails},
	{"AdoptionOfItselfIsRefused", adoptCycle},
	{"AdoptionOfOneAnotherIsRefused", adoptOneAnother},
	{"AdoptionOfItselfByAWideJoinIsRefused", adoptAround},
	{"AdoptionOfTheSameByTwoWaysIsNoCycle", notCircular},
	{"AdoptersOfAnyDepthNeedOneSlot", adoptDeep},
	{"SlotIsFreeBeforeTheOutcomeIsStored", slotIsFree},
	{"AdopterOfACancelledOneIsCancelled", innerCancelled},
	{"AdopterOfACancelledOneIsCancelledThreeDeep", innerCancelledDeep},
	{"AdopterOfAnExpiringOneExpires", innerExpires},
	{"CancelSettlesWhateverIsOpen", cancelAnyState},
	{"CancelByAMessageSettlesWhateverIsOpen", cancelAnyStateByWord},
	{"CancelOfAnAdopterReachesTheInner", adoptCancel},
	{"CancelOfAnAdopterReachesTheInnerThreeDeep", outerCancelledDeep},
	{"CancelOfAnAdopterReachesTheMembersOfAJoin", outerOfAJoinCancelled},
	{"CancelOfAnAdopterStopsAtWhatOthersWaitFor", outerCancelledHalfWay},
	{"CancelOfAnAdopterSparesWhatAJoinWaitsFor", adoptCancelSpares},
	{"AdopterThatExpiresCancelsTheInner", outerExpires},
}

var promiseCases = []rigCase{
	{"OfTwoResolutionsBeforeThePromiseIsMetTheFirstCounts", oppositeResolutions},
	{"PromiseIsSettledOnce", promiseOnce},
	{"PromiseMayBeResolvedBeforeItIsSeen", promiseEarly},
	{"CommandsThatComeBeforeTheirPromiseOrJoinCountOnceItIsThere", earlyCommands},
	{"CommandsAboutWhatNeverComesAreSetAside", commandsOfNothing},
	{"WhoSettledADeferredIsRecorded", settledBy},
	{"WhatWaitsCannotBeHeld", holdWaiting},
	{"RunningCallCannotBeHeld", holdRunning},
	{"HeldCallRunsWhenReleased", holdRelease},
	{"HeldCallSaysWhyUntilItIsCancelled", holdCancelled},
	{"HoldOfAPromiseOrAJoinThatNobodyHasMetMeansNothing", holdUnperformed},
	{"DeadlineRevokesARunningAttempt", deadlineRunning},
	{"DeadlineExpiresWhatIsScheduledAndPromised", deadlineScheduled},
	{"DeadlineExpiresWhatIsPending", deadlinePending},
	{"DeadlineExpiresWhatIsScheduled", deadlineOfScheduled},
	{"DeadlineExpiresWhatIsHeld", deadlineHeld},
}

var noteCases = []rigCase{
	{"CheckpointIsHandedToTheNextAttempt", checkpointIsHandedOn},
	{"CheckpointIsStoredWhenItHasBeenSaved", checkpointIsStored},
	{"AnnotationsAreReadAndWrittenByBothSidesWhoWait", notesBothWays},
	{"WaitingForAnAnnotationEndsWithItsContext", noteTimeout},
	{"AnybodyAnnotatesWhatHasSettled", noteOnFinished},
	{"HandlerAnnotatesAnotherCall", noteOnAnother},
	{"OldAttemptThatAnnotatesWhatHasSettledIsRefusedOrPast", oldNoteOnFinished},
	{"ThousandAnnotationsAreFewWrites", manyAnnotations},
	{"WhatIsCountedAsPendingIsWhatAWorkerTakes", pendingIsTaken},
}

var goneCases = []rigCase{
	{"WhatStaysOpenKeepsNothingOfThoseThatHaveWaitedForIt", goneLeaveNothing},
	{"WhatHasSettledRemembersTheLatestOfThoseThatHaveWaitedForIt", goneFromASettledOne},
	{"IDThatWasForgottenWaitsAgainForTheSame", goneIDIsUsedAgain},
	{"MarkOfAnEarlierDeferredOfTheIDKeepsNobodyFromWaiting", goneMarkIsOfNobody},
	{"CancelOfTwoAtOnceReachesWhatBothHaveWaitedFor", cancelledAtOnce},
	{"CancelOfAJoinThatNobodyHasMetReachesItsMembers", cancelledUnmet},
	{"MalformedMessageSettlesWhatIsWaitedFor", malformedMember},
	{"MalformedMessageSettlesWhatWasHeldBefore", malformedAfterACommand},
	{"CallbackWhoseIDIsTakenDoesNotKeepItsParent", idOfACallbackIsTaken},
	{"CallThatIsSetAsideDoesNotKeepItsParent", goneParentOfACallSetAside},
}

var staleCases = []rigCase{
	{"WakeThatIsAheadOfAReplicaLosesNoCallback", staleForACallback},
	{"WakeThatIsAheadOfAReplicaLosesNoJoin", staleForAJoin},
	{"CallbackThatIsAheadOfAReplicaIsNotLost", staleForAFiredOne},
	{"CallbackAddedToWhatHasSettledAheadOfAReplicaIsNotLost", staleForALateOne},
}

// A handler performs calls of one name; its string is the result.
type handler func(a *deferred.Attempt) (string, error)

// perform has a worker perform the calls of these names until the case ends.
func (r *rig) perform(handlers map[string]handler) {
	r.Helper()
	r.drive(r.join(r.queue, "unused"), handlers)
}

// drive has a worker perform the calls of these names.
func (r *rig) drive(h *hand, handlers map[string]handler) {
	for name := range handlers {
		h.feed.Want(deferred.Lane{Queue: deferred.DefaultQueue, Name: name}, 20)
	}
	go func() {
		for {
			o, err := h.feed.Next(r.ctx)
			if err != nil {
				return
			}
			a, err := h.feed.Claim(r.ctx, o)
			if err != nil {
				continue
			}
			go func() {
				out := deferred.Outcome{State: deferred.Succeeded}
				if s, err := handlers[o.Lane.Name](a); err != nil {
					out = a.OutcomeOf(err)
				} else {
					out.Result = deferred.JSON([]byte(s))
				}
				if err := h.feed.Settle(r.ctx, a, out); err != nil && !errors.Is(err, deferred.ErrLost) && r.ctx.Err() == nil {
					r.Errorf("settle %s: %v", a.ID, err)
				}
			}()
		}
	}()
}

func named(name string, id deferred.ID) deferred.Call {
	return deferred.Call{ID: id, Name: name, Retries: deferred.NoRetries}
}

// kindError is an error of a kind.
type kindError string

func (e kindError) Error() string { return "of kind " + string(e) }
func (e kindError) Kind() string  { return string(e) }

func succeeds(s string) handler {
	return func(*deferred.Attempt) (string, error) { return s, nil }
}

func fails(kind string) handler {
	return func(*deferred.Attempt) (string, error) { return "", kindError(kind) }
}

// must gives the deferred, or ends the case.
func (r *rig) must(d *deferred.Deferred, err error) *deferred.Deferred {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
	return d
}

// gives awaits a success with a result.
func (r *rig) gives(id deferred.ID, want string) {
	r.Helper()
	if got := string(r.await(id, deferred.Succeeded).Result.Data); got != want {
		r.Errorf("%s has result %s, want %s", id, got, want)
	}
}

// failsWith awaits a failure of a kind.
func (r *rig) failsWith(id deferred.ID, kind string) {
	r.Helper()
	if f := r.await(id, deferred.Failed).Failure; f == nil || f.Kind != kind {
		r.Errorf("%s failed with %v, want kind %s", id, f, kind)
	}
}
