package suite

import (
	"errors"
	"time"

	"zasync/pkg/deferred"
)

// adopts is a handler whose outcome is to be that of another deferred.
func (r *rig) adopts(inner deferred.ID) handler {
	return func(*deferred.Attempt) (string, error) { return "", deferred.Adopt(r.queue.Open(inner)) }
}

// nested has a wait for b, b for c, and c for a promise p.
func (r *rig) nested() deferred.PromiseToken {
	r.Helper()
	r.perform(map[string]handler{"one": r.adopts("b"), "two": r.adopts("c"), "three": r.adopts("p")})
	token := r.promise("p")
	r.submit(named("one", "a"), named("two", "b"), named("three", "c"))
	r.waits("a", "b")
	r.waits("b", "c")
	r.waits("c", "p")
	return token
}

// Whatever the innermost ends as, all around it do, unchanged.
func innerSucceeds(r *rig) {
	token := r.nested()
	r.resolve(token, map[string]string{"to": "all"})
	for _, id := range []deferred.ID{"c", "b", "a"} {
		r.ends(id, `succeeded {"to":"all"}`)
	}
}

func innerFails(r *rig) {
	token := r.nested()
	r.reject(token, "odd")
	for _, id := range []deferred.ID{"c", "b", "a"} {
		if rec := r.ends(id, `failed odd: of kind odd`); rec.Attempt != 1 || rec.Counts != (deferred.Counts{}) {
			r.Errorf("%s: attempt %d, counts %+v; the failure is that of another deferred", id, rec.Attempt, rec.Counts)
		}
	}
}

func innerCancelledDeep(r *rig) {
	r.nested()
	r.cancel("p", "not needed")
	for _, id := range []deferred.ID{"c", "b", "a"} {
		r.ends(id, `cancelled cancelled: not needed`)
	}
}

func innerExpires(r *rig) {
	r.perform(map[string]handler{"one": r.adopts("b"), "two": r.adopts("p"), "mend": succeeds(`"mended"`)})
	p, _ := deferred.NewPromise("p", "member")
	p.Deadline = time.Now().Add(time.Second)
	a := named("one", "a")
	a.Callbacks = []deferred.Callback{{On: deferred.OnFailure, Call: named("mend", "")}}
	r.submit(p, a, named("two", "b"))
	missed := `expired expired: it had not settled by ` + p.Deadline.UTC().Format(time.RFC3339)
	for _, id := range []deferred.ID{"p", "b", "a"} {
		if rec := r.ends(id, missed); !errors.Is(rec.Outcome().Err(), deferred.ErrExpired) {
			r.Errorf("%s: errors.Is does not find that %v is an expiry", id, rec.Failure)
		}
	}
	r.gives(deferred.ChildID("a", 0), `"mended"`)
}

func outerCancelledDeep(r *rig) {
	token := r.nested()
	r.cancel("a", "not needed")
	for _, id := range []deferred.ID{"a", "b", "c", "p"} {
		r.ends(id, `cancelled cancelled: not needed`)
	}
	var settled *deferred.SettledError
	if err := deferred.ResolvePromise(r.ctx, r.queue, token, 1); !errors.As(err, &settled) || settled.State != deferred.Cancelled {
		r.Errorf("who resolves the innermost was told %v", err)
	}
}

// The middle one is wanted by somebody else: there the cancel stops.
func outerCancelledHalfWay(r *rig) {
	token := r.nested()
	r.joins("other", deferred.JoinAll, false, "b")
	r.waits("other", "b")
	r.cancel("a", "not needed")
	r.released("a")
	r.stillOpen("b", "c", "p", "other")
	r.resolve(token, 1)
	r.ends("other", `succeeded [1]`)
	r.ends("a", `cancelled cancelled: not needed`)
}

// An outer one adopts a join: a cancel reaches all of its members.
func outerOfAJoinCancelled(r *rig) {
	r.perform(map[string]handler{"one": r.adopts("all")})
	r.promise("x")
	r.promise("y")
	r.joins("all", deferred.JoinAll, false, "x", "y")
	r.submit(named("one", "a"))
	r.waits("a", "all")
	r.attached("x", "all")
	r.attached("y", "all")
	r.cancel("a", "not needed")
	for _, id := range []deferred.ID{"all", "x", "y"} {
		r.ends(id, `cancelled cancelled: not needed`)
	}
}

// Nobody is left who waits for what the expired one had started.
func outerExpires(r *rig) {
	r.perform(map[string]handler{"one": r.adopts("p")})
	r.promise("p")
	a := named("one", "a")
	a.Deadline = time.Now().Add(2 * time.Second)
	r.submit(a)
	r.await("a", deferred.Expired)
	r.ends("p", `cancelled cancelled: its adopter a has expired`)
}
