package dispatchtest

import (
	"context"
	"errors"
	"testing"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch"
)

// TestQueue has what a queue does for its callers and workers, beyond the rules
// of the order of writes.
func TestQueue(t *testing.T, clock Clock, open func(t *testing.T) Pair) {
	for _, c := range []struct {
		name string
		test func(r *rig)
	}{
		{"CancelReachesARunningAttempt", cancelRunning},
		{"CancelOfASettledCallSaysHowItEnded", cancelSettled},
		{"CancelOfNothingIsNotFound", cancelNothing},
		{"SameCallTwiceIsHarmless", sameTwice},
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
		{"SettledResultCostsOneRead", oneRead},
		{"LostNewsHangsNobody", lostNews},
		{"ListShowsWhatWaitsAndWhatHasSettled", list},
	} {
		t.Run(c.name, func(t *testing.T) {
			clock(t, func(t *testing.T) {
				ctx, cancel := patiently(t)
				defer cancel()
				r := &rig{T: t, ctx: ctx, pair: open(t)}
				r.queue = r.over(r.pair.Store, r.pair.Broker)
				defer r.leave()
				c.test(r)
			})
		})
	}
}

func (h *hand) fail(a *deferred.Attempt, err error) {
	h.Helper()
	if err := h.feed.Settle(h.ctx, a, deferred.OutcomeOf(err)); err != nil {
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
	r.becomesEmpty(dispatch.Ready)
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
	if n := r.pending(dispatch.Commands); n != 0 {
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
	if n := r.pending(dispatch.Ready); n != 0 {
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
	if n := r.pending(dispatch.Ready); n != 2 {
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
	eventually(r.T, "it is parked", func() bool { return r.pending(dispatch.Delay) == 1 })
	shown()
}

func retryLimit(r *rig) {
	w := r.join(r.queue, "greet")
	c := greeting("a")
	c.Retries = 2
	r.submit(c)
	for want := 1; want <= 3; want++ {
		a := w.claim()
		if a.Number != want || a.Failures != want-1 {
			r.Errorf("attempt %d after %d failures, want attempt %d", a.Number, a.Failures, want)
		}
		w.fail(a, deferred.RetryAfter(10*time.Millisecond, errors.New("again")))
	}
	if rec := r.await("a", deferred.Failed); rec.Counts.Failures != 3 || string(rec.Args.Data) != `"world"` {
		r.Errorf("counts %+v, arguments %s", rec.Counts, rec.Args.Data)
	}
	r.becomesEmpty(dispatch.Ready)
}

func snooze(r *rig) {
	w := r.join(r.queue, "greet")
	c := greeting("a")
	c.Retries = deferred.NoRetries
	r.submit(c)
	w.fail(w.claim(), deferred.Snooze(10*time.Millisecond))
	w.succeed(w.claim())
	if rec := r.await("a", deferred.Succeeded); rec.Counts != (deferred.Counts{}) {
		r.Errorf("counts %+v", rec.Counts)
	}
}

func declined(r *rig) {
	w := r.join(r.queue, "greet")
	r.submit(greeting("a"))
	for range 3 {
		w.feed.Decline(w.offer(), "not now")
	}
	if rec, err := r.queue.Record(r.ctx, "a"); err != nil || rec.State != deferred.Pending || rec.Attempt != 0 {
		r.Errorf("%s after %d attempts (%v)", rec.State, rec.Attempt, err)
	}
	w.succeed(w.claim())
	if rec := r.await("a", deferred.Succeeded); rec.Attempt != 1 || rec.Counts != (deferred.Counts{}) {
		r.Errorf("attempt %d, counts %+v", rec.Attempt, rec.Counts)
	}
}

func unclaimed(r *rig) {
	w := r.join(r.queue, "greet")
	r.submit(greeting("a"))
	w.feed.Decline(w.claim().Offer, "no slot was free")
	a := w.claim()
	w.succeed(a)
	if rec := r.await("a", deferred.Succeeded); rec.Attempt != 1 || rec.Counts != (deferred.Counts{}) {
		r.Errorf("attempt %d, counts %+v", rec.Attempt, rec.Counts)
	}
}

func interrupted(r *rig) {
	w := r.join(r.queue, "greet")
	r.submit(greeting("a"))
	if err := w.feed.Settle(r.ctx, w.claim(), deferred.Outcome{State: deferred.Pending}); err != nil {
		r.Fatal(err)
	}
	w.succeed(w.claim())
	if rec := r.await("a", deferred.Succeeded); rec.Counts != (deferred.Counts{}) {
		r.Errorf("counts %+v", rec.Counts)
	}
}

// record makes the record of a call that died with its worker so many times.
func (r *rig) died(id deferred.ID, deaths int) {
	r.Helper()
	r.write(id, func(rec *deferred.Record) {
		rec.State, rec.Attempt, rec.Counts.Deaths = deferred.Running, deaths+1, deaths
		rec.Token = deferred.Token{Worker: "gone", Attempt: deaths + 1}
	})
}

func poisoned(r *rig) {
	c := withErrback("a")
	r.submit(c)
	r.died("a", 2)
	w, house := r.join(r.queue, "greet"), r.join(r.queue, "mend")
	for range 2 { // the worker is new: it has to watch for a while before it judges anybody dead
		w.idle(r.beyond() / 2)
	}
	rec := r.await("a", deferred.Failed)
	if rec.Failure.Kind != deferred.KindPoison || rec.Counts.Deaths != 3 {
		r.Errorf("kind %q after %d deaths", rec.Failure.Kind, rec.Counts.Deaths)
	}
	house.succeed(house.claim())
	r.await(deferred.ChildID("a", 0), deferred.Succeeded)
}

func suspects(r *rig) {
	for _, id := range []deferred.ID{"a", "b"} {
		r.submit(greeting(id))
		r.died(id, 1)
	}
	w := r.join(r.queue, "greet")
	first := w.claim()
	if !first.Suspect {
		r.Error("it is not known as a suspect")
	}
	w.idle(2 * time.Second)
	w.succeed(first)
	w.succeed(w.claim())
	r.await("a", deferred.Succeeded)
	r.await("b", deferred.Succeeded)
}

func beginBy(r *rig) {
	w := r.join(r.queue, "greet")
	c := greeting("a")
	c.BeginBy = time.Now().Add(2 * time.Second)
	r.submit(c)
	o := w.offer()
	late := time.NewTimer(3 * time.Second)
	<-late.C
	if _, err := w.feed.Claim(r.ctx, o); !errors.Is(err, deferred.ErrTaken) {
		r.Errorf("the claim was answered with %v", err)
	}
	if rec := r.await("a", deferred.Expired); !errors.Is(rec.Failure, deferred.ErrExpired) {
		r.Errorf("failure %v", rec.Failure)
	}
	r.becomesEmpty(dispatch.Ready)
}

func largeResult(r *rig) {
	w := r.join(r.queue, "greet")
	for extra, want := range map[int]deferred.State{-1: deferred.Succeeded, 0: deferred.Succeeded, 1: deferred.Failed} {
		id := deferred.ID("a" + string(want) + string(rune('b'+extra)))
		r.submit(greeting(id))
		result := deferred.Content{Type: deferred.TypeBytes, Data: make([]byte, deferred.MaxResultSize+extra)}
		if err := w.feed.Settle(r.ctx, w.claim(), deferred.Outcome{State: deferred.Succeeded, Result: result}); err != nil {
			r.Fatal(err)
		}
		if rec := r.await(id, want); want == deferred.Failed && rec.Failure.Kind != deferred.KindResultSize {
			r.Errorf("kind %q", rec.Failure.Kind)
		}
	}
}

// small is a store that takes only small values.
type small struct{ dispatch.Store }

func (s small) Write(ctx context.Context, writes []dispatch.Write) []dispatch.Written {
	if len(writes[0].Value) > 2000 {
		return []dispatch.Written{{Err: dispatch.ErrTooLarge}}
	}
	return s.Store.Write(ctx, writes)
}

func tooLargeForTheServer(r *rig) {
	r.queue = r.over(small{r.pair.Store}, r.pair.Broker)
	w := r.join(r.queue, "greet")
	r.submit(greeting("a"))
	result := deferred.Content{Type: deferred.TypeBytes, Data: make([]byte, 3000)}
	if err := w.feed.Settle(r.ctx, w.claim(), deferred.Outcome{State: deferred.Succeeded, Result: result}); err != nil {
		r.Fatal(err)
	}
	if rec := r.await("a", deferred.Failed); rec.Failure.Kind != deferred.KindResultSize {
		r.Errorf("kind %q", rec.Failure.Kind)
	}
	r.becomesEmpty(dispatch.Ready)
}

func malformed(r *rig) {
	m := again("a")
	m.Body = []byte(`{"world`)
	r.put(m)
	r.submit(greeting("b"))
	w := r.join(r.queue, "greet")
	w.succeed(w.claim())
	if rec := r.await("a", deferred.Failed); rec.Failure.Kind != deferred.KindMalformed {
		r.Errorf("kind %q", rec.Failure.Kind)
	}
	for d, err := range r.pair.Broker.Pending(r.ctx, dispatch.Page{Route: dispatch.Aside}) {
		if err != nil || d.Verb != "malformed" || string(d.Body) != `{"world` || d.Header[dispatch.HeaderReason] == "" {
			r.Errorf("set aside as %s, %q with reason %q (%v)", d.Verb, d.Body, d.Header[dispatch.HeaderReason], err)
		}
	}
	if n := r.pending(dispatch.Aside); n != 1 {
		r.Errorf("%d messages set aside, want 1", n)
	}
	r.becomesEmpty(dispatch.Ready)
}

func unknownCommand(r *rig) {
	r.join(r.queue, "greet")
	r.put(dispatch.Message{Route: dispatch.Commands, Verb: "explode", ID: "a"})
	r.becomesEmpty(dispatch.Commands)
	if n := r.pending(dispatch.Aside); n != 1 {
		r.Errorf("%d messages set aside, want 1", n)
	}
}

func annotations(r *rig) {
	w := r.join(r.queue, "greet")
	r.submit(greeting("a"))
	a := w.claim()
	ctx, cancel := context.WithCancel(r.ctx)
	defer cancel()
	seen := make(chan string, 16)
	go func() {
		defer close(seen)
		for c, err := range r.queue.Watch(ctx, "a") {
			switch {
			case err != nil:
				return
			case c.Note != nil:
				seen <- c.Note.Key + "=" + string(c.Note.Value)
			default:
				seen <- string(c.Record.State)
			}
		}
	}()
	for first := range seen {
		if first == string(deferred.Running) {
			break
		}
	}
	if err := deferred.Report(deferred.WithAttempt(r.ctx, a), deferred.Progress{Done: 1, Total: 2}); err != nil {
		r.Fatal(err)
	}
	if got := <-seen; got != `progress={"done":1,"total":2}` {
		r.Errorf("saw %s", got)
	}
	w.succeed(a)
	if got := <-seen; got != string(deferred.Succeeded) {
		r.Errorf("saw %s", got)
	}
	if more, open := <-seen; open {
		r.Errorf("saw %s after the end", more)
	}
	n := 0
	for note, err := range r.queue.Annotations(r.ctx, "a") {
		n++
		if err != nil || note.Key != deferred.ProgressKey || note.Attempt != 1 || note.Past {
			r.Errorf("read %+v (%v)", note, err)
		}
	}
	if n != 1 {
		r.Errorf("read %d annotations, want 1", n)
	}
}

func oldAnnotations(r *rig) {
	w := r.join(r.queue, "greet")
	r.submit(greeting("a"))
	old := w.claim()
	w.fail(old, deferred.RetryAfter(10*time.Millisecond, errors.New("again")))
	a := w.claim()
	note := func(a *deferred.Attempt, value string) error {
		return a.Ledger.Annotate(r.ctx, "a", deferred.Note{Key: "k", Value: []byte(value)})
	}
	if err := note(a, `2`); err != nil {
		r.Fatal(err)
	}
	if err := note(old, `1`); !errors.Is(err, deferred.ErrLost) {
		r.Errorf("the older attempt's annotation was answered with %v", err)
	}
	for n, err := range r.queue.Annotations(r.ctx, "a") {
		if err != nil || string(n.Value) != `2` {
			r.Errorf("read %s (%v)", n.Value, err)
		}
	}
	w.succeed(a)
}

func list(r *rig) {
	w := r.join(r.queue, "greet")
	labelled := greeting("labelled")
	labelled.Labels = map[string]string{"customer": "42"}
	r.submit(labelled)
	w.succeed(w.claim())
	w.feed.Want(w.lane, 0)
	other := greeting("other")
	other.Name = "mend"
	later := greeting("later")
	later.Delay = time.Hour
	r.submit(other, later)
	for name, c := range map[string]struct {
		filter dispatch.Filter
		want   int
	}{
		"all":     {dispatch.Filter{}, 3},
		"state":   {dispatch.Filter{States: []deferred.State{deferred.Succeeded, deferred.Scheduled}}, 2},
		"name":    {dispatch.Filter{Name: "mend"}, 1},
		"label":   {dispatch.Filter{Labels: map[string]string{"customer": "42"}}, 1},
		"no such": {dispatch.Filter{Queue: "no-such"}, 0},
	} {
		eventually(r.T, name, func() bool { // a call on its way from one stream to the other may be in neither
			n := 0
			for _, err := range r.queue.List(r.ctx, c.filter) {
				if err != nil {
					r.Fatal(err)
				}
				n++
			}
			return n == c.want
		})
	}
}
