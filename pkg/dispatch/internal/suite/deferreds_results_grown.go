package suite

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/driver/drivertest"
)

// settledMembers makes the records of calls that have succeeded, but for the
// first, which is still to come.
func (r *rig) settledMembers(n int, result string) []deferred.ID {
	ids := make([]deferred.ID, n)
	writes := make([]driver.Write, 0, n)
	for i := range ids {
		ids[i] = deferred.ID(fmt.Sprintf("member-%025d", i))
		if i == 0 {
			continue
		}
		rec := deferred.Record{ID: ids[i]}
		settledRecord(&rec, deferred.Succeeded, time.Now().Unix())
		rec.Result = deferred.JSON([]byte(result))
		data, err := json.Marshal(rec)
		if err != nil {
			r.Fatal(err)
		}
		writes = append(writes, driver.Write{Key: driver.Key{Space: driver.Records, Name: string(ids[i])}, Value: data})
	}
	for _, w := range r.pair.Store.Write(r.ctx, writes) {
		if w.Err != nil {
			r.Fatal(w.Err)
		}
	}
	return ids
}

// Of 14,000 members of 32 characters a join has room for, of 15,000 not.
func tooManyMembers(r *rig) {
	const some, more = 14_000, 15_000
	r.perform(nil)
	ids := r.settledMembers(more, `1`)
	r.submit(joinOf("j", deferred.JoinAll, ids[:some]...))
	r.becomes("j", deferred.Waiting)
	add := deferred.Command{Verb: deferred.Add, ID: "j", Members: ids[some:]}
	var size *deferred.SizeError
	if err := r.queue.Do(r.ctx, add); !errors.As(err, &size) || size.Field != deferred.FieldMembers {
		r.Errorf("too many members were answered with %v", err)
	}
	body, err := json.Marshal(add)
	if err != nil {
		r.Fatal(err)
	}
	r.put(driver.Message{Route: driver.Commands, Verb: "add", ID: "j", Body: body}) // by another client
	drivertest.Eventually(r.T, "what does not fit is set aside", func() bool { return r.pending(driver.Aside) == 1 })
	r.perform(map[string]handler{"greet": succeeds(`1`)})
	r.submit(named("greet", ids[0]))
	if rec := r.await("j", deferred.Succeeded); len(rec.Waits.On) != some {
		r.Errorf("it has %d members, want %d", len(rec.Waits.On), some)
	}
}

// narrow refuses records over a size.
type narrow struct {
	driver.Store
	limit int
}

func (s narrow) Write(ctx context.Context, writes []driver.Write) []driver.Written {
	out := make([]driver.Written, len(writes))
	for i, w := range writes {
		if len(w.Value) > s.limit {
			out[i].Err = driver.ErrTooLarge
			continue
		}
		out[i] = s.Store.Write(ctx, []driver.Write{w})[0]
	}
	return out
}

func listBesideMembers(r *rig) {
	const members = 1000
	r.queue = r.over(narrow{r.pair.Store, 60 << 10}, r.pair.Broker)
	ids := r.settledMembers(members, `"0123456789012345678901234567890123456789"`)
	r.perform(map[string]handler{"greet": succeeds(`1`)})
	r.submit(joinOf("j", deferred.JoinAll, ids...), named("greet", ids[0]))
	if got := len(r.await("j", deferred.Succeeded).Result.Data); got < 40*members {
		r.Errorf("the list has %d bytes", got)
	}
	if rec := r.record("j"); rec.ResultOf != "j" {
		r.Errorf("the list is in its record, which has %d bytes of it", len(rec.Result.Data))
	}
}
