package suite

import (
	"errors"
	"fmt"
	"strings"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
)

var commandCases = []rigCase{
	{"ResolutionWithAValueThatCannotBeReadSettlesNothing", unreadableResolution},
	{"ResolutionThatIsRepeatedIsToldTheFirstOutcome", repeatedResolution},
	{"ReleaseAfterAHoldThatNobodyHasMetCounts", releaseAfterUnmetHold},
	{"HoldAfterAReleaseThatNobodyHasMetCounts", holdAfterUnmetRelease},
	{"CancelByAVeryLongNameIsCarriedOut", longBy},
	{"MemberOfThisProcessOnlyIsRefusedAtOnce", memberOfThisProcess},
}

// say puts a command as a client without the library would: it is acknowledged,
// and nobody has carried it out.
func (r *rig) say(verb deferred.Verb, id deferred.ID, body string) {
	r.Helper()
	r.put(driver.Message{Route: driver.Commands, Verb: string(verb), ID: id, Body: []byte(body)})
}

// The token of such a command is good, and nothing else.
func unreadableResolution(r *rig) {
	r.perform(nil)
	token := r.promise("p")
	r.becomesEmpty(driver.Later)
	r.say(deferred.Resolve, "p", fmt.Sprintf(`{"token":%q,"value":"!!! no base64","value_type":"application/octet-stream"}`, token))
	r.say(deferred.Reject, "p", fmt.Sprintf(`{"token":%q,"message":5}`, token))
	r.say(deferred.Resolve, "p", string(token))
	r.becomesEmpty(driver.Commands)
	if n := r.pending(driver.Aside); n != 3 {
		r.Errorf("%d messages are set aside, want all three", n)
	}
	if rec := r.record("p"); rec.State != deferred.Waiting {
		r.Errorf("the promise is %s with %q", rec.State, rec.Result.Data)
	}
	r.resolve(token, 1)
}

// Also an equal outcome is another one: only the very same command that is given
// again, because its answer was lost, is the one that counts.
func repeatedResolution(r *rig) {
	r.perform(nil)
	token := r.promise("p")
	c := deferred.Command{Verb: deferred.Resolve, ID: "p", Token: token, Result: deferred.JSON([]byte(`1`)), By: "alice"}
	for range 2 {
		if err := r.queue.Do(r.ctx, c); err != nil {
			r.Fatal(err)
		}
	}
	var settled *deferred.SettledError
	if err := deferred.ResolvePromise(r.ctx, r.queue, token, 1); !errors.As(err, &settled) || string(settled.Outcome.Result.Data) != `1` {
		r.Errorf("an equal one was answered with %v", err)
	}
}

func releaseAfterUnmetHold(r *rig) {
	r.submit(greeting("a"))
	r.say(deferred.Hold, "a", "")
	r.releases("a")
	r.join(r.queue, "other") // it meets the hold, not the call
	r.becomesEmpty(driver.Commands)
	w := r.join(r.queue, "greet")
	w.succeed(w.claim())
	r.await("a", deferred.Succeeded)
}

func holdAfterUnmetRelease(r *rig) {
	r.submit(greeting("a"))
	r.holds("a")
	r.say(deferred.Release, "a", "")
	r.holds("a")
	r.join(r.queue, "other")
	r.becomesEmpty(driver.Commands)
	w := r.join(r.queue, "greet")
	w.idle(r.pair.Lease)
	r.releases("a")
	w.succeed(w.claim())
}

// The name is for people, and must not keep the record from being stored.
func longBy(r *rig) {
	r.queue = r.over(small{r.pair.Store}, r.pair.Broker)
	r.submit(greeting("a"))
	r.say(deferred.Cancel, "a", `{"by":"`+strings.Repeat("x", 100<<10)+`"}`)
	r.join(r.queue, "other")
	r.becomesEmpty(driver.Commands)
	if by := r.await("a", deferred.Cancelled).SettledBy; !strings.HasPrefix(by, "xxx") || len(by) > 256 {
		r.Errorf("settled by %q", by)
	}
	long := deferred.Command{Verb: deferred.Cancel, ID: "a", By: strings.Repeat("x", 257)}
	var size *deferred.SizeError
	if err := r.queue.Do(r.ctx, long); !errors.As(err, &size) || size.Field != deferred.FieldBy {
		r.Errorf("a caller's own was answered with %v", err)
	}
}

// No worker could ever see it: the join would fail after the grace time.
func memberOfThisProcess(r *rig) {
	r.perform(nil)
	r.promise("p")
	r.joins("j", deferred.JoinAll, false, "p")
	r.waits("j", "p")
	for _, here := range []*deferred.Deferred{deferred.Resolved(1), deferred.Rejected(errors.New("no"))} {
		_, err := deferred.Any(r.ctx, r.queue, r.queue.Open("p"), here)
		for what, err := range map[string]error{"a join": err, "an addition": r.queue.Open("j").AddMembers(r.ctx, here)} {
			var input *deferred.InputError
			if !errors.As(err, &input) || input.Field != deferred.FieldMembers || input.Value != string(here.ID()) || !strings.Contains(input.Rule, "submit a call") {
				r.Errorf("%s was answered with %v", what, err)
			}
		}
	}
	if rec := r.record("j"); len(rec.Waits.On) != 1 {
		r.Errorf("the join waits for %v", rec.Waits.On)
	}
}
