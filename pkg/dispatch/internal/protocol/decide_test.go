package protocol

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/internal/wire"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func aCall() *wire.Call {
	c := &wire.Call{Submitted: noon.Add(-time.Minute)}
	c.ID, c.Name, c.Args = "a", "greet", deferred.JSON([]byte(`"world"`))
	return c
}

func aRecord(s deferred.State) *deferred.Record {
	return &deferred.Record{
		ID: "a", Name: "greet", State: s, Attempt: 1, Seen: true, Digest: aCall().Digest(),
		Token: deferred.Token{Worker: "other", Attempt: 1},
	}
}

func command(v deferred.Verb) *deferred.Command { return &deferred.Command{Verb: v, ID: "a"} }

// theFacts are those of a call that may be performed, changed by the case.
func theFacts(change func(*Facts)) Facts {
	f := Facts{Call: aCall(), Digest: aCall().Digest(), Now: noon, Self: "me", MaxDeaths: 3, Grace: 10 * time.Minute}
	change(&f)
	return f
}

func TestDeliveryMeansWhatTheTableSays(t *testing.T) {
	after := &deferred.After{Parent: "p", On: deferred.OnSuccess}
	cases := []struct {
		name   string
		change func(*Facts)
		want   Action
	}{
		{"a call without a record is claimed", func(*Facts) {}, Claim},
		{"a call that is claimed here already comes again", func(f *Facts) { f.Performing = true }, GiveBack},
		{"a stub does not make its call a duplicate", func(f *Facts) { f.Record = &deferred.Record{ID: "a", State: deferred.Pending} }, Claim},
		{"a call before its time is parked", func(f *Facts) { f.Call.NotBefore = noon.Add(time.Second) }, Park},
		{"a retry before its time is parked", func(f *Facts) {
			f.Record = aRecord(deferred.Scheduled)
			f.Record.NotBefore = noon.Add(time.Second)
		}, Park},
		{"the later of the two times counts", func(f *Facts) {
			f.Record = aRecord(deferred.Scheduled)
			f.Record.NotBefore, f.Call.NotBefore = noon.Add(-time.Second), noon.Add(time.Second)
		}, Park},
		{"a retry that is due is claimed", func(f *Facts) {
			f.Record = aRecord(deferred.Scheduled)
			f.Record.NotBefore = noon
		}, Claim},
		{"a first attempt after begin-by expires", func(f *Facts) { f.Call.BeginBy = noon.Add(-time.Second) }, Expire},
		{"a later attempt after begin-by is made", func(f *Facts) {
			f.Record = aRecord(deferred.Scheduled)
			f.Call.BeginBy = noon.Add(-time.Second)
		}, Claim},
		{"a call that runs elsewhere is given back", func(f *Facts) { f.Record, f.OwnerAlive = aRecord(deferred.Running), true }, GiveBack},
		{"a call of a dead worker is taken over", func(f *Facts) { f.Record = aRecord(deferred.Running) }, TakeOver},
		{"a call that killed too many is poison", func(f *Facts) {
			f.Record = aRecord(deferred.Running)
			f.Record.Counts.Deaths = 2
		}, DeadLetter},
		{"a call that runs here comes again", func(f *Facts) {
			f.Record, f.Performing = aRecord(deferred.Running), true
			f.Record.Token.Worker = "me"
		}, GiveBack},
		{"a call that was claimed here and let go is claimed anew", func(f *Facts) {
			f.Record = aRecord(deferred.Running)
			f.Record.Token.Worker = "me"
		}, Claim},
		{"a held call is parked", func(f *Facts) { f.Record = aRecord(deferred.Held) }, Park},
		{"what waits is evaluated", func(f *Facts) { f.Record = aRecord(deferred.Waiting) }, Evaluate},
		{"a settled call is finished", func(f *Facts) { f.Record = aRecord(deferred.Succeeded) }, Finish},
		{"a call that was cancelled before it was seen is merged", func(f *Facts) {
			f.Record = &deferred.Record{ID: "a", State: deferred.Cancelled}
		}, Merge},
		{"another call under the id is set aside", func(f *Facts) {
			f.Record = aRecord(deferred.Running)
			f.Record.Digest = "another"
		}, SetAside},
		{"another call under a settled id is set aside", func(f *Facts) {
			f.Record = aRecord(deferred.Failed)
			f.Record.Digest = "another"
		}, SetAside},
		{"a cancel of a running call cancels", func(f *Facts) {
			f.Call, f.Command, f.Record, f.OwnerAlive = nil, command(deferred.Cancel), aRecord(deferred.Running), true
		}, Cancel},
		{"a cancel of what nobody has seen cancels", func(f *Facts) { f.Call, f.Command = nil, command(deferred.Cancel) }, Cancel},
		{"a cancel of a settled call finishes", func(f *Facts) {
			f.Call, f.Command, f.Record = nil, command(deferred.Cancel), aRecord(deferred.Succeeded)
		}, Finish},
		{"a callback on the branch that was taken is claimed", func(f *Facts) {
			f.Call.After, f.Parent = after, aRecord(deferred.Succeeded)
		}, Claim},
		{"a callback on the other branch passes through", func(f *Facts) {
			f.Call.After, f.Parent = after, aRecord(deferred.Cancelled)
		}, Skip},
		{"a callback on the other branch has no time to wait for or to miss", func(f *Facts) {
			f.Call.After, f.Parent = after, aRecord(deferred.Failed)
			f.Call.NotBefore, f.Call.BeginBy = noon.Add(time.Hour), noon.Add(-time.Hour)
		}, Skip},
		{"a callback of an open parent waits", func(f *Facts) {
			f.Call.After, f.Parent = after, aRecord(deferred.Running)
		}, Wait},
		{"a callback of a parent that nobody has seen waits", func(f *Facts) { f.Call.After = after }, Wait},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := Decide(theFacts(c.change)); got.Action != c.want {
				t.Errorf("decided to %q (%s), want %q", got.Action, got.Why, c.want)
			}
		})
	}
}

// They may be met in any order, by their giver and by a worker.
func TestOfHoldAndReleaseTheLaterMessageCounts(t *testing.T) {
	for _, c := range []struct {
		name   string
		verb   deferred.Verb
		seq    uint64
		state  deferred.State
		obeyed uint64
		want   Action
	}{
		{"a hold after the release before it", deferred.Hold, 8, deferred.Pending, 7, Hold},
		{"a hold that is met after the release that followed it", deferred.Hold, 6, deferred.Pending, 7, Discard},
		{"a release of what is held", deferred.Release, 8, deferred.Held, 7, Release},
		{"a release that is met before its hold is remembered", deferred.Release, 8, deferred.Pending, 0, Release},
		{"a release that is met after a later hold", deferred.Release, 6, deferred.Held, 7, Discard},
		{"a hold of what is held already", deferred.Hold, 8, deferred.Held, 7, Hold},
		{"either of them twice", deferred.Hold, 7, deferred.Held, 7, Discard},
	} {
		r := aRecord(c.state)
		r.Obeyed = c.obeyed
		if got := Decide(Facts{Record: r, Command: &deferred.Command{Verb: c.verb, ID: "a", Seq: c.seq}, Now: noon}); got.Action != c.want {
			t.Errorf("%s: decided to %q, want %q", c.name, got.Action, c.want)
		}
	}
}

// A message may go only by finish, park or set aside; and whatever the facts,
// nothing runs that is settled, too early, another's, or here already.
func TestNoFactsLeadToAForbiddenDeed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		minutes := func(name string) time.Time {
			n := rapid.IntRange(-3, 3).Draw(t, name)
			if n == 3 {
				return time.Time{}
			}
			return noon.Add(time.Duration(n) * time.Minute)
		}
		f := theFacts(func(f *Facts) {
			f.Performing = rapid.Bool().Draw(t, "performing")
			f.OwnerAlive = rapid.Bool().Draw(t, "alive")
			f.Call.NotBefore, f.Call.BeginBy = minutes("call not before"), minutes("begin by")
			if rapid.Bool().Draw(t, "record") {
				f.Record = aRecord(rapid.SampledFrom(deferred.States).Draw(t, "state"))
				f.Record.Seen = rapid.Bool().Draw(t, "seen")
				f.Record.NotBefore = minutes("record not before")
				f.Record.Counts.Deaths = rapid.IntRange(0, 3).Draw(t, "deaths")
				f.Record.Token.Worker = rapid.SampledFrom([]string{"me", "other"}).Draw(t, "owner")
			}
			if rapid.IntRange(0, 3).Draw(t, "command") == 0 {
				verbs := []deferred.Verb{deferred.Cancel, deferred.Hold, deferred.Release, deferred.Resolve, deferred.Add, deferred.Handle, wire.VerbWake, wire.VerbExpire}
				f.Call, f.Command = nil, command(rapid.SampledFrom(verbs).Draw(t, "verb"))
			}
		})
		d := Decide(f)
		r := f.Record
		if d.Action == Claim || d.Action == TakeOver {
			switch {
			case f.Call == nil:
				t.Fatal("a command is no call to claim")
			case f.Performing:
				t.Fatal("claimed twice in one worker")
			case r != nil && r.State.Settled():
				t.Fatal("claimed after its outcome")
			case r != nil && r.State == deferred.Running && r.Token.Worker == "other" && f.OwnerAlive:
				t.Fatal("taken from a living worker")
			case r != nil && r.Counts.Deaths >= f.MaxDeaths && r.State == deferred.Running && r.Token.Worker == "other":
				t.Fatal("poison is tried again")
			case (r == nil || r.State != deferred.Running) && f.Call.NotBefore.After(f.Now):
				t.Fatal("claimed before its time")
			}
		}
		if d.Action == Park && !d.Until.After(f.Now) {
			t.Fatalf("parked without a time in the future: %v", d.Until)
		}
		if d.Action == Finish && (r == nil || !r.State.Settled()) {
			t.Fatal("acknowledged while open")
		}
		if d.Action == Finish && f.Call != nil && !r.Seen {
			t.Fatal("a call that no record has met was dropped")
		}
	})
}
