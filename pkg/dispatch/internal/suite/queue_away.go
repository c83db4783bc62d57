package suite

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch"
	"zasync/pkg/dispatch/driver"
)

// awayCases are of a server that is away for a few requests, as in an election.
var awayCases = []rigCase{
	{"CallIsSubmittedWhenTheServerIsThereAgain", awayForASubmit},
	{"CommandIsGivenWhenTheServerIsThereAgain", awayForACommand},
	{"CommandIsGivenThoughTheAnswersToItsWritesAreLost", lostForACommand},
	{"AnnotationIsStoredWhenTheServerIsThereAgain", awayForANote},
	{"WorkerJoinsWhenTheServerIsThereAgain", awayForAJoin},
}

// away is a pair of seams whose server is away, or gives no answer, for so many
// requests, be they reads, writes or messages.
type away struct {
	driver.Store
	driver.Broker
	left   atomic.Int64
	asked  atomic.Int64
	answer error // ErrUnavailable: nothing is done; ErrUnknown: it is, without an answer
	reads  bool  // it answers reads
}

func (r *rig) away(requests int64, answer error) (*away, *dispatch.Queue) {
	a := &away{Store: r.pair.Store, Broker: r.pair.Broker, answer: answer}
	a.left.Store(requests)
	return a, r.over(a, a)
}

// refuses gives the error of a request that has none or no good answer.
func (a *away) refuses() error {
	a.asked.Add(1)
	if a.left.Add(-1) < 0 {
		return nil
	}
	return fmt.Errorf("away as planned: %w", a.answer)
}

func (a *away) Write(ctx context.Context, writes []driver.Write) []driver.Written {
	err := a.refuses()
	if err == nil {
		return a.Store.Write(ctx, writes)
	}
	answers := make([]driver.Written, len(writes))
	if errors.Is(err, driver.ErrUnknown) {
		a.Store.Write(ctx, writes)
	}
	for i := range answers {
		answers[i].Err = err
	}
	return answers
}

func (a *away) Read(ctx context.Context, keys []driver.Key) ([]driver.Entry, error) {
	if errors.Is(a.answer, driver.ErrUnavailable) && !a.reads {
		if err := a.refuses(); err != nil {
			return nil, err
		}
	}
	return a.Store.Read(ctx, keys)
}

func (a *away) ReadLatest(ctx context.Context, keys []driver.Key) ([]driver.Entry, error) {
	return a.Read(ctx, keys)
}

func (a *away) Put(ctx context.Context, messages []driver.Message) []driver.Stored {
	err := a.refuses()
	if err == nil {
		return a.Broker.Put(ctx, messages)
	}
	if errors.Is(err, driver.ErrUnknown) {
		a.Broker.Put(ctx, messages)
	}
	answers := make([]driver.Stored, len(messages))
	for i := range answers {
		answers[i].Err = err
	}
	return answers
}

// awayFor is how many requests are refused in a row: the waits between them add up to
// less than a second.
const awayFor = 5

func awayForASubmit(r *rig) {
	_, q := r.away(awayFor, driver.ErrUnavailable)
	if _, err := q.Submit(r.ctx, greeting("a"), deferred.Call{Name: "greet"}, deferred.Call{Name: "greet"}); err != nil {
		r.Fatal(err)
	}
	if n := r.pending(driver.Ready); n != 3 {
		r.Errorf("%d messages, want one for each call", n)
	}
}

func awayForACommand(r *rig) {
	token := r.promise("p")
	r.submit(greeting("a"), greeting("b"))
	for name, give := range map[string]func(q *dispatch.Queue) error{
		"cancel":  func(q *dispatch.Queue) error { return q.Open("a").Cancel(r.ctx, "") },
		"hold":    func(q *dispatch.Queue) error { return q.Open("b").Hold(r.ctx, "") },
		"resolve": func(q *dispatch.Queue) error { return deferred.ResolvePromise(r.ctx, q, token, 1) },
	} {
		_, q := r.away(awayFor, driver.ErrUnavailable)
		if err := give(q); err != nil {
			r.Errorf("%s: %v", name, err)
		}
	}
	r.await("a", deferred.Cancelled)
	r.await("p", deferred.Succeeded)
	if n := r.pending(driver.Commands); n != 3 {
		r.Errorf("%d commands, want one each", n)
	}
}

// There is no worker, so the giver has to find out himself.
func lostForACommand(r *rig) {
	for i, answer := range []error{driver.ErrUnknown, driver.ErrUnavailable} {
		id := deferred.ID(fmt.Sprint("call", i))
		r.submit(greeting(id))
		a, _ := r.away(2, answer)
		a.reads = true
		if err := r.over(a, r.pair.Broker).Open(id).Cancel(r.ctx, ""); err != nil {
			r.Error(err)
		}
		id = deferred.ID(fmt.Sprint("promise", i))
		token := r.promise(id)
		a.left.Store(2)
		if err := deferred.ResolvePromise(r.ctx, r.over(a, r.pair.Broker), token, 1); err != nil {
			r.Error(err)
		}
		r.await(id, deferred.Succeeded)
	}
	if n := r.pending(driver.Commands); n != 4 {
		r.Errorf("%d commands, want one each", n)
	}
}

func awayForANote(r *rig) {
	r.submit(greeting("a"))
	_, q := r.away(awayFor, driver.ErrUnavailable)
	if err := q.Open("a").Annotate(r.ctx, "k", 1); err != nil {
		r.Fatal(err)
	}
	for n, err := range q.Annotations(r.ctx, "a") {
		if err != nil || n.Key != "k" {
			r.Errorf("%s, %v", n.Key, err)
		}
	}
}

func awayForAJoin(r *rig) {
	_, q := r.away(awayFor, driver.ErrUnavailable)
	w := r.join(q, "greet")
	r.submit(greeting("a"))
	w.succeed(w.claim())
}
