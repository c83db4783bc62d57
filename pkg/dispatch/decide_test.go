package dispatch

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
func theFacts(change func(*facts)) facts {
	f := facts{call: aCall(), digest: aCall().Digest(), now: noon, self: "me", maxDeaths: 3, grace: 10 * time.Minute}
	change(&f)
	return f
}

func TestDeliveryMeansWhatTheTableSays(t *testing.T) {
	after := &deferred.After{Parent: "p", On: deferred.OnSuccess}
	cases := []struct {
		name   string
		change func(*facts)
		want   deed
	}{
		{"a call without a record is claimed", func(*facts) {}, claim},
		{"a call that is claimed here already comes again", func(f *facts) { f.performing = true }, giveBack},
		{"a stub does not make its call a duplicate", func(f *facts) { f.record = &deferred.Record{ID: "a", State: deferred.Pending} }, claim},
		{"a call before its time is parked", func(f *facts) { f.call.NotBefore = noon.Add(time.Second) }, park},
		{"a retry before its time is parked", func(f *facts) {
			f.record = aRecord(deferred.Scheduled)
			f.record.NotBefore = noon.Add(time.Second)
		}, park},
		{"the later of the two times counts", func(f *facts) {
			f.record = aRecord(deferred.Scheduled)
			f.record.NotBefore, f.call.NotBefore = noon.Add(-time.Second), noon.Add(time.Second)
		}, park},
		{"a retry that is due is claimed", func(f *facts) {
			f.record = aRecord(deferred.Scheduled)
			f.record.NotBefore = noon
		}, claim},
		{"a first attempt after begin-by expires", func(f *facts) { f.call.BeginBy = noon.Add(-time.Second) }, expire},
		{"a later attempt after begin-by is made", func(f *facts) {
			f.record = aRecord(deferred.Scheduled)
			f.call.BeginBy = noon.Add(-time.Second)
		}, claim},
		{"a call that runs elsewhere is given back", func(f *facts) { f.record, f.ownerAlive = aRecord(deferred.Running), true }, giveBack},
		{"a call of a dead worker is taken over", func(f *facts) { f.record = aRecord(deferred.Running) }, takeOver},
		{"a call that killed too many is poison", func(f *facts) {
			f.record = aRecord(deferred.Running)
			f.record.Counts.Deaths = 2
		}, poison},
		{"a call that runs here comes again", func(f *facts) {
			f.record, f.performing = aRecord(deferred.Running), true
			f.record.Token.Worker = "me"
		}, giveBack},
		{"a call that was claimed here and let go is claimed anew", func(f *facts) {
			f.record = aRecord(deferred.Running)
			f.record.Token.Worker = "me"
		}, claim},
		{"a held call is parked", func(f *facts) { f.record = aRecord(deferred.Held) }, park},
		{"what waits is evaluated", func(f *facts) { f.record = aRecord(deferred.Waiting) }, evaluate},
		{"a settled call is finished", func(f *facts) { f.record = aRecord(deferred.Succeeded) }, finish},
		{"a call that was cancelled before it was seen is merged", func(f *facts) {
			f.record = &deferred.Record{ID: "a", State: deferred.Cancelled}
		}, merge},
		{"another call under the id is set aside", func(f *facts) {
			f.record = aRecord(deferred.Running)
			f.record.Digest = "another"
		}, setAside},
		{"another call under a settled id is set aside", func(f *facts) {
			f.record = aRecord(deferred.Failed)
			f.record.Digest = "another"
		}, setAside},
		{"a cancel of a running call cancels", func(f *facts) {
			f.call, f.command, f.record, f.ownerAlive = nil, command(deferred.Cancel), aRecord(deferred.Running), true
		}, cancel},
		{"a cancel of what nobody has seen cancels", func(f *facts) { f.call, f.command = nil, command(deferred.Cancel) }, cancel},
		{"a cancel of a settled call finishes", func(f *facts) {
			f.call, f.command, f.record = nil, command(deferred.Cancel), aRecord(deferred.Succeeded)
		}, finish},
		{"a callback on the branch that was taken is claimed", func(f *facts) {
			f.call.After, f.parent = after, aRecord(deferred.Succeeded)
		}, claim},
		{"a callback on the other branch passes through", func(f *facts) {
			f.call.After, f.parent = after, aRecord(deferred.Cancelled)
		}, passThrough},
		{"a callback on the other branch has no time to wait for or to miss", func(f *facts) {
			f.call.After, f.parent = after, aRecord(deferred.Failed)
			f.call.NotBefore, f.call.BeginBy = noon.Add(time.Hour), noon.Add(-time.Hour)
		}, passThrough},
		{"a callback of an open parent waits", func(f *facts) {
			f.call.After, f.parent = after, aRecord(deferred.Running)
		}, wait},
		{"a callback of a parent that nobody has seen waits", func(f *facts) { f.call.After = after }, wait},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := decide(theFacts(c.change)); got.deed != c.want {
				t.Errorf("decided to %q (%s), want %q", got.deed, got.why, c.want)
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
		want   deed
	}{
		{"a hold after the release before it", deferred.Hold, 8, deferred.Pending, 7, hold},
		{"a hold that is met after the release that followed it", deferred.Hold, 6, deferred.Pending, 7, drop},
		{"a release of what is held", deferred.Release, 8, deferred.Held, 7, release},
		{"a release that is met before its hold is remembered", deferred.Release, 8, deferred.Pending, 0, release},
		{"a release that is met after a later hold", deferred.Release, 6, deferred.Held, 7, drop},
		{"a hold of what is held already", deferred.Hold, 8, deferred.Held, 7, hold},
		{"either of them twice", deferred.Hold, 7, deferred.Held, 7, drop},
	} {
		r := aRecord(c.state)
		r.Obeyed = c.obeyed
		if got := decide(facts{record: r, command: &deferred.Command{Verb: c.verb, ID: "a", Seq: c.seq}, now: noon}); got.deed != c.want {
			t.Errorf("%s: decided to %q, want %q", c.name, got.deed, c.want)
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
		f := theFacts(func(f *facts) {
			f.performing = rapid.Bool().Draw(t, "performing")
			f.ownerAlive = rapid.Bool().Draw(t, "alive")
			f.call.NotBefore, f.call.BeginBy = minutes("call not before"), minutes("begin by")
			if rapid.Bool().Draw(t, "record") {
				f.record = aRecord(rapid.SampledFrom(deferred.States).Draw(t, "state"))
				f.record.Seen = rapid.Bool().Draw(t, "seen")
				f.record.NotBefore = minutes("record not before")
				f.record.Counts.Deaths = rapid.IntRange(0, 3).Draw(t, "deaths")
				f.record.Token.Worker = rapid.SampledFrom([]string{"me", "other"}).Draw(t, "owner")
			}
			if rapid.IntRange(0, 3).Draw(t, "command") == 0 {
				verbs := []deferred.Verb{deferred.Cancel, deferred.Hold, deferred.Release, deferred.Resolve, deferred.Add, deferred.Handle, wire.VerbWake, wire.VerbExpire}
				f.call, f.command = nil, command(rapid.SampledFrom(verbs).Draw(t, "verb"))
			}
		})
		d := decide(f)
		r := f.record
		if d.deed == claim || d.deed == takeOver {
			switch {
			case f.call == nil:
				t.Fatal("a command is no call to claim")
			case f.performing:
				t.Fatal("claimed twice in one worker")
			case r != nil && r.State.Settled():
				t.Fatal("claimed after its outcome")
			case r != nil && r.State == deferred.Running && r.Token.Worker == "other" && f.ownerAlive:
				t.Fatal("taken from a living worker")
			case r != nil && r.Counts.Deaths >= f.maxDeaths && r.State == deferred.Running && r.Token.Worker == "other":
				t.Fatal("poison is tried again")
			case (r == nil || r.State != deferred.Running) && f.call.NotBefore.After(f.now):
				t.Fatal("claimed before its time")
			}
		}
		if d.deed == park && !d.until.After(f.now) {
			t.Fatalf("parked without a time in the future: %v", d.until)
		}
		if d.deed == finish && (r == nil || !r.State.Settled()) {
			t.Fatal("acknowledged while open")
		}
		if d.deed == finish && f.call != nil && !r.Seen {
			t.Fatal("a call that no record has met was dropped")
		}
	})
}
