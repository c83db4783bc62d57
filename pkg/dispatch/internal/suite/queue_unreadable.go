package suite

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/driver/drivertest"
)

var unreadableCases = []rigCase{
	{"RecordThatCannotBeReadIsNamedInTheListAndHidesNoOther", unreadableInList},
	{"RecordThatCannotBeReadAnyMoreHidesNoOther", unreadableAfterListing},
	{"RecordThatCannotBeReadIsNamedAmongUnhandledAndHidesNoOther", unreadableUnhandled},
	{"RecordThatCannotBeReadStopsNoSweepOfAnnotations", unreadableInSweep},
}

// writeRaw writes an entry as anybody may who reaches the store.
func (r *rig) writeRaw(space driver.Space, name, value string) {
	r.Helper()
	w := driver.Write{Key: driver.Key{Space: space, Name: name}, Value: []byte(value), Expect: driver.Unconditional}
	if err := r.pair.Store.Write(r.ctx, []driver.Write{w})[0].Err; err != nil {
		r.Fatal(err)
	}
}

// noRecords are values that are no records of the deferreds that their keys name.
var noRecords = []string{
	`hello`, `{}`, `null`, `[]`, `7`, ``, `{"id":1,"state":"pending"}`, `{"id":"x","state":"asleep"}`,
	`{"id":"x","state":"pending","submitted":5}`, `{"id":"x","state":"pending","callbacks":{}}`, `{"id":"good-0","state":"succeeded"}`,
}

// showsDespite checks that a list shows these, and names each that cannot be read.
func (r *rig) showsDespite(found iter.Seq2[deferred.Record, error], want, odd []string) {
	r.Helper()
	var got, named []string
	for rec, err := range found {
		if err == nil {
			got = append(got, string(rec.ID))
			continue
		}
		if !errors.Is(err, dispatch.ErrUnreadable) {
			r.Errorf("the list gave %v", err)
		}
		i := slices.IndexFunc(odd, func(id string) bool { return strings.Contains(err.Error(), id+":") })
		if i < 0 {
			r.Errorf("an error names nothing: %v", err)
			continue
		}
		named = append(named, odd[i])
	}
	if slices.Sort(got); !slices.Equal(got, want) {
		r.Errorf("%v are shown, want %v", got, want)
	}
	if slices.Sort(named); !slices.Equal(named, odd) {
		r.Errorf("%v are named, want %v", named, odd)
	}
}

func unreadableInList(r *rig) {
	var odd, want []string
	for i, value := range noRecords {
		id := fmt.Sprintf("odd-%02d", i)
		r.writeRaw(driver.Records, id, value)
		odd = append(odd, id)
		if i < 2 {
			r.write(deferred.ID(fmt.Sprint("good-", i)), func(rec *deferred.Record) { settledRecord(rec, deferred.Succeeded, int64(i+1)) })
		}
	}
	r.submit(greeting("message"))
	want = append(want, "good-0", "good-1", "message")
	r.showsDespite(r.queue.List(r.ctx, dispatch.Filter{}), want, odd)
}

// Of a stub that was listed the record is read again, since no message of it is found.
func unreadableAfterListing(r *rig) {
	r.write("stub", func(rec *deferred.Record) { rec.State = deferred.Held })
	odd := &oddLater{Store: r.pair.Store, name: "stub"}
	r.submit(greeting("good"))
	r.write("other", func(rec *deferred.Record) { rec.State = deferred.Held })
	r.showsDespite(r.over(odd, r.pair.Broker).List(r.ctx, dispatch.Filter{}), []string{"good", "other"}, []string{"stub"})
}

func unreadableUnhandled(r *rig) {
	q := failedForGood(r, "a", "b", "c")
	drivertest.Eventually(r.T, "all are listed after the grace time", func() bool { return listsUnhandled(r, q, "a", "b", "c") })
	r.writeRaw(driver.Records, "b", `hello`)
	r.writeRaw(driver.Unhandled, "gone", `hello`)
	r.showsDespite(q.Unhandled(r.ctx), []string{"a", "c"}, []string{"b"})
}

func unreadableInSweep(r *rig) {
	q := dispatch.New(r.pair.Store, r.pair.Broker, dispatch.Config{
		Lease: r.pair.Lease, KeepSucceeded: time.Second, SweepEvery: time.Second, Logger: silent(),
	})
	const note = `{"value":1,"attempt":1}`
	r.writeRaw(driver.Records, "odd", `hello`)
	for _, name := range []string{"gone.k", "odd.k", "left.k"} {
		r.notesRaw(name, note)
	}
	r.join(q, "greet")
	drivertest.Eventually(r.T, "the annotations of what is gone are deleted, and no others", func() bool {
		var names []string
		for e, err := range r.pair.Store.List(r.ctx, driver.Query{Space: driver.Notes}) {
			if err != nil {
				r.Fatal(err)
			}
			names = append(names, e.Name)
		}
		return slices.Equal(names, []string{"odd.k"})
	})
}

// oddLater is a store in which a record that was listed cannot be read any more.
type oddLater struct {
	driver.Store
	name string
}

func (s *oddLater) Read(ctx context.Context, keys []driver.Key) ([]driver.Entry, error) {
	entries, err := s.Store.Read(ctx, keys)
	for i := range entries {
		if entries[i].Name == s.name {
			entries[i].Value = []byte(`hello`)
		}
	}
	return entries, err
}
