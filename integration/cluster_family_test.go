package integration

import (
	"context"
	"fmt"
	"time"

	"zasync/pkg/deferred"
)

// A family is a few deferreds that wait for one another in every way there is.
type family struct {
	name  string
	works [3]deferred.ID
	// adopter has the outcome of the first, all those of all three, race that of
	// the second and third, echo is hung on all later, and last waits for a promise
	// and for all.
	adopter, all, race, echo, last deferred.ID
	token                          deferred.PromiseToken
	numbers                        [3]int
}

func newFamily(n int) *family {
	f := &family{name: fmt.Sprintf("f%05d", n)}
	for i := range f.works {
		f.numbers[i] = (n*7+i*13)%40 + 1
		f.works[i] = f.id(fmt.Sprintf("work%d", i))
	}
	f.adopter, f.all, f.race, f.echo, f.last = f.id("adopter"), f.id("all"), f.id("race"), f.id("echo"), f.id("last")
	return f
}

func (f *family) id(what string) deferred.ID { return deferred.ID(f.name + "-" + what) }

// submit hands the whole family in, again and again until all of it is stored:
// under ids of its own that changes nothing.
func (f *family) submit(ctx context.Context, s deferred.Submitter) error {
	var promise deferred.Call
	if f.token == "" {
		promise, f.token = deferred.NewPromise(f.id("promise"), "approval")
	}
	adopt := clusterAdopt.Call(f.works[0])
	adopt.ID = f.adopter
	all := deferred.Call{Name: "join", ID: f.all, Join: &deferred.Join{Mode: deferred.JoinAll, Members: []deferred.ID{f.adopter, f.works[1], f.works[2]}}}
	race := deferred.Call{Name: "join", ID: f.race, Join: &deferred.Join{Mode: deferred.JoinRace, Members: f.works[1:]}}
	echo := deferred.Call{Name: clusterEcho, ID: f.echo, After: &deferred.After{Parent: f.all, On: deferred.OnSuccess}}
	last := deferred.Call{Name: "join", ID: f.last, Join: &deferred.Join{Mode: deferred.JoinAll, Members: []deferred.ID{f.id("promise"), f.echo}}}
	calls := []deferred.Call{adopt, all, race, echo, last} // before what they wait for: that is the harder order
	for i, id := range f.works {
		c := clusterWork.Call(f.numbers[i])
		c.ID = id
		if i == 1 {
			c.Delay = time.Duration(f.numbers[i]) * 20 * time.Millisecond
		}
		calls = append(calls, c)
	}
	if promise.ID != "" {
		if err := untilStored(ctx, s, promise); err != nil {
			return err
		}
	}
	return untilStored(ctx, s, calls...)
}

func untilStored(ctx context.Context, s deferred.Submitter, calls ...deferred.Call) error {
	for {
		attempt, cancel := context.WithTimeout(ctx, 10*time.Second)
		_, err := s.Submit(attempt, calls...)
		cancel()
		if err == nil || ctx.Err() != nil {
			return err
		}
		select {
		case <-time.After(5 * glance):
		case <-ctx.Done():
		}
	}
}

// ids are all of the family.
func (f *family) ids() []deferred.ID {
	return append([]deferred.ID{f.adopter, f.all, f.race, f.echo, f.id("promise"), f.last}, f.works[:]...)
}

// wrong says how a deferred of the family has ended that should have ended otherwise.
func (f *family) wrong(r *deferred.Record) string {
	if r.State != deferred.Succeeded {
		return fmt.Sprintf("%s is %s: %v", r.ID, r.State, r.Failure)
	}
	n := f.numbers
	want := map[deferred.ID][]string{
		f.works[0]: {fmt.Sprint(n[0])}, f.works[1]: {fmt.Sprint(n[1])}, f.works[2]: {fmt.Sprint(n[2])},
		f.adopter: {fmt.Sprint(n[0])}, f.race: {fmt.Sprint(n[1]), fmt.Sprint(n[2])},
		f.all: {fmt.Sprintf("[%d,%d,%d]", n[0], n[1], n[2])}, f.echo: {fmt.Sprintf("[%d,%d,%d]", n[0], n[1], n[2])},
		f.id("promise"): {"true"}, f.last: {fmt.Sprintf("[true,[%d,%d,%d]]", n[0], n[1], n[2])},
	}[r.ID]
	got := resultOf(r.Result)
	for _, w := range want {
		if got == w {
			return ""
		}
	}
	return fmt.Sprintf("%s has the result %s, not %v", r.ID, got, want)
}

// resultOf is a result as JSON, whatever its codec.
func resultOf(c deferred.Content) string {
	j, err := c.JSON()
	if err != nil {
		return err.Error()
	}
	return string(j)
}
