package jetstream_test

import (
	"errors"
	"testing"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch"
	"zasync/pkg/dispatch/driver"
)

// Whoever publishes past the store may use keys that the store takes from nobody.
func TestKeyThatIsNoIDHidesNothing(t *testing.T) {
	t.Parallel()
	p := settle(t)
	q := dispatch.New(p.store, p.broker, dispatch.Config{
		Lease: p.config.Lease, KeepSucceeded: time.Second, SweepEvery: time.Second, UnhandledGrace: time.Millisecond,
	})
	for _, key := range []string{"STATE.grün", "UNHANDLED.grün", "UNHANDLED.a.b", "NOTES.grün.k", "NOTES.gone.k"} {
		if _, err := p.js.Publish(patiently(t), "$KV."+p.upper()+"_"+key, []byte(`{"value":1,"attempt":1}`)); err != nil {
			t.Fatal(err)
		}
	}
	failed := `{"id":"failed","state":"failed","attempt":1,"retries":0,"seen":true,"settled":"2026-01-01T00:00:00Z","failure":{"kind":"error","message":"no"}}`
	for _, space := range []driver.Space{driver.Records, driver.Unhandled} {
		w := driver.Write{Key: driver.Key{Space: space, Name: "failed"}, Value: []byte(failed)}
		if err := p.store.Write(patiently(t), []driver.Write{w})[0].Err; err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		found func(func(deferred.Record, error) bool)
		odd   int
	}{"list": {q.List(patiently(t), dispatch.Filter{}), 1}, "unhandled": {q.Unhandled(patiently(t)), 2}} {
		shown, odd := 0, 0
		for rec, err := range c.found {
			switch {
			case err == nil && rec.ID == "failed":
				shown++
			case errors.Is(err, dispatch.ErrUnreadable):
				odd++
			default:
				t.Errorf("%s gave %q, %v", name, rec.ID, err)
			}
		}
		if shown != 1 || odd != c.odd {
			t.Errorf("%s shows %d and names %d, want 1 and %d", name, shown, odd, c.odd)
		}
	}
	feed, err := q.Join(t.Context(), deferred.Worker{Name: "sweeper"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = feed.Leave(t.Context()) }()
	eventually(t, "the annotation of what is gone is deleted", func() bool {
		for e, err := range p.store.List(patiently(t), driver.Query{Space: driver.Notes}) {
			if err != nil {
				t.Fatal(err)
			}
			if e.Name == "gone.k" {
				return false
			}
		}
		return true
	})
}
