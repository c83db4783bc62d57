package integration

import (
	"fmt"
	"slices"

	"zasync/pkg/deferred"
)

// naps are n calls that take some time.
func naps(n int, long string) []deferred.Call {
	args := deferred.JSON(fmt.Appendf(nil, `{"for":%q}`, long))
	return slices.Repeat([]deferred.Call{{Name: "demo/sleep", Args: args}}, n)
}

// sum is a call that takes no time.
func sum() deferred.Call {
	return deferred.Call{Name: "demo/add", Args: deferred.JSON([]byte("[1,2,3]"))}
}

func (f *fleet) submit(calls ...deferred.Call) []deferred.ID {
	f.t.Helper()
	ds, err := f.queue.Submit(f.ctx, calls...)
	if err != nil {
		f.t.Fatal(err)
	}
	ids := make([]deferred.ID, len(ds))
	for i, d := range ds {
		ids[i] = d.ID()
	}
	return ids
}

// in counts those that are in a state.
func (f *fleet) in(s deferred.State, ids []deferred.ID) (n int) {
	for _, id := range ids {
		if r, err := f.queue.Record(f.ctx, id); err == nil && r.State == s {
			n++
		}
	}
	return n
}

// begun counts the naps that were begun: they report progress. A call that is
// running by its record may have been claimed ahead.
func (f *fleet) begun(ids []deferred.ID) (n int) {
	for _, id := range ids {
		for _, err := range f.queue.Annotations(f.ctx, id) {
			if err != nil {
				f.t.Fatal(err)
			}
			n++
		}
	}
	return n
}

// settled waits for the end of a call.
func (f *fleet) settled(id deferred.ID) deferred.Record {
	f.t.Helper()
	r, err := f.queue.Await(f.ctx, id)
	if err != nil {
		f.t.Fatal(err)
	}
	return r
}

// ends waits for the end of a call, and checks how it ended and what it took.
func (f *fleet) ends(id deferred.ID, s deferred.State, attempt int, counts deferred.Counts) deferred.Record {
	f.t.Helper()
	r := f.settled(id)
	if r.State != s || r.Attempt != attempt || r.Counts != counts {
		f.t.Errorf("%s %s ended as %s at attempt %d with %+v (%v), not as %s at %d with %+v",
			r.Name, id, r.State, r.Attempt, r.Counts, r.Failure, s, attempt, counts)
	}
	return r
}
