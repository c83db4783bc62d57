package main

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch"
	"zasync/pkg/dispatch/memory"
	"zasync/pkg/workerpool"
)

// bubble is a queue with a worker whose calls last as long as they say.
type bubble struct {
	*dispatch.Queue
	t   *testing.T
	out strings.Builder
}

func inBubble(t *testing.T, test func(b *bubble)) {
	synctest.Test(t, func(t *testing.T) {
		log := slog.New(slog.DiscardHandler)
		pair := memory.New(memory.Config{})
		q := dispatch.New(pair.Store, pair.Broker, dispatch.Config{Logger: log})
		var mux workerpool.Mux
		workerpool.Register(&mux, lasts, func(ctx context.Context, seconds int) (int, error) {
			select {
			case <-time.After(time.Duration(seconds) * time.Second):
			case <-ctx.Done():
			}
			return seconds, ctx.Err()
		})
		pool := workerpool.Pool{Source: q, Mux: &mux, Name: "w", Logger: log, Grace: -1}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- pool.Run(ctx) }()
		test(&bubble{Queue: q, t: t})
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

const lasts deferred.Func[int, int] = "lasts"

func (b *bubble) submit(c deferred.Call) *deferred.Deferred {
	b.t.Helper()
	d, err := deferred.SubmitOne(b.t.Context(), b, c)
	if err != nil {
		b.t.Fatal(err)
	}
	return d
}

// watch follows a deferred and all that belongs to it.
func (b *bubble) watch(id deferred.ID) {
	b.t.Helper()
	if _, err := follow(b.t.Context(), b, id, reach{below: true, above: true}, newLines(&b.out)); err != nil {
		b.t.Fatal(err)
	}
}

// tree is how the tree is drawn.
func (b *bubble) tree(id deferred.ID) string {
	b.t.Helper()
	r, err := b.Record(b.t.Context(), id)
	if err != nil {
		b.t.Fatal(err)
	}
	g := grower{source: b, seen: map[deferred.ID]bool{}}
	drawn, err := g.tree(b.t.Context(), &r)
	if err != nil {
		b.t.Fatal(err)
	}
	var out strings.Builder
	drawn.draw(&out, "", "")
	return out.String()
}

// told fails the test unless the lines say each text of the deferred.
func (b *bubble) told(d deferred.ID, texts ...string) {
	b.t.Helper()
	for _, text := range texts {
		if !strings.Contains(b.out.String(), fmt.Sprintf("  %s  %s", d, text)) {
			b.t.Errorf("nothing says that %s %s:\n%s", d, text, b.out.String())
		}
	}
}

func call(id deferred.ID, seconds int, callbacks ...deferred.Callback) deferred.Call {
	c := lasts.Call(seconds)
	c.ID, c.Callbacks = id, callbacks
	return c
}

func TestTreeIsFollowedToItsLastLeaf(t *testing.T) {
	inBubble(t, func(b *bubble) {
		leaf := deferred.Callback{On: deferred.OnSuccess, Call: lasts.Call(30)}
		root := b.submit(call("root", 1,
			deferred.Callback{On: deferred.OnSuccess, Call: call("", 20, leaf)},
			deferred.Callback{On: deferred.OnFailure, Call: lasts.Call(1)}))
		b.watch(root.ID())
		next, never := deferred.ChildID("root", 0), deferred.ChildID("root", 1)
		b.told("root", "running    attempt 1", "succeeded  1")
		b.told(next, "lasts hangs on root, on success", "succeeded  20")
		b.told(deferred.ChildID(next, 0), "succeeded  30")
		b.told(never, "lasts hangs on root, on failure", "succeeded  1 (did not run)")
	})
}

func TestWhatIsHungOnASettledDeferredIsFollowedToo(t *testing.T) {
	inBubble(t, func(b *bubble) {
		root := b.submit(call("root", 1, deferred.Callback{On: deferred.OnSuccess, Call: lasts.Call(20)}))
		time.AfterFunc(10*time.Second, func() {
			if _, err := root.AddCallback(b.t.Context(), call("late", 60)); err != nil {
				b.t.Error(err)
			}
		})
		b.watch(root.ID())
		b.told("late", "succeeded  60")
	})
}

func TestWhatADeferredWaitsForIsFollowedAsLongAsItWaits(t *testing.T) {
	inBubble(t, func(b *bubble) {
		race := deferred.NewJoin(deferred.JoinRace, b.submit(call("quick", 1)), b.submit(call("slow", 3600)))
		race.ID = "first"
		b.submit(race)
		began := time.Now()
		b.watch("first")
		b.told("first", "waiting    for 2 others", "succeeded  1")
		b.told("quick", "first waits for it", "succeeded  1")
		b.told("slow", "first waits for it", "running    attempt 1")
		if took := time.Since(began); took >= time.Hour {
			t.Errorf("the loser of the race was waited for: %s", took)
		}
	})
}

func TestWhatIsNoLongerKeptIsNotWaitedFor(t *testing.T) {
	inBubble(t, func(b *bubble) {
		root := call("root", 1, deferred.Callback{On: deferred.OnSuccess, Call: lasts.Call(1)})
		root.Keep = 24 * time.Hour
		b.submit(root)
		b.watch("root")
		time.Sleep(2 * time.Hour) // the callback is kept for one
		b.out.Reset()
		b.watch("root")
		b.told("root", "succeeded  1")
		if drawn := b.tree("root"); !strings.Contains(drawn, "└─ on success: lasts  "+string(deferred.ChildID("root", 0))+"  settled, and not kept any more\n") {
			t.Error(drawn)
		}
	})
}

// crowd is a join of very many, all of which wait.
type crowd struct{ join deferred.Record }

func (c crowd) Record(_ context.Context, id deferred.ID) (deferred.Record, error) {
	return deferred.Record{ID: id, State: deferred.Pending}, nil
}

func (c crowd) Watch(ctx context.Context, id deferred.ID) iter.Seq2[deferred.Change, error] {
	return func(yield func(deferred.Change, error) bool) {
		if id == c.join.ID {
			yield(deferred.Change{Record: &c.join}, nil)
		}
		<-ctx.Done()
		yield(deferred.Change{}, ctx.Err())
	}
}

func TestOfTooManyOnlySomeAreFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := crowd{deferred.Record{ID: "all", State: deferred.Waiting, Waits: &deferred.Waits{Mode: deferred.JoinAll}}}
		for i := range 3 * maxFollowed {
			c.join.Waits.On = append(c.join.Waits.On, deferred.ID(fmt.Sprint("m", i)))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var out strings.Builder
		if _, err := follow(ctx, c, "all", reach{above: true}, newLines(&out)); err == nil {
			t.Error("it ended")
		}
		if n := strings.Count(out.String(), "there is more: only the first 1000 are followed"); n != 1 {
			t.Errorf("that there are more is said %d times", n)
		}
		if n := strings.Count(out.String(), "all waits for it"); n != maxFollowed-1 {
			t.Errorf("%d are followed", n)
		}
	})
}
