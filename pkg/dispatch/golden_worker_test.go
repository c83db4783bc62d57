package dispatch

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"log/slog"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/internal/liveness"
	"zasync/pkg/dispatch/internal/records"
	"zasync/pkg/dispatch/internal/wire"
)

// goldenOthers are the files of what is not a call that somebody submits.
var goldenOthers = []string{
	"fired-success", "fired-branch-not-taken", "fired-delayed", "fired-kinds", "forwarded", "wake", "wake-revision", "expire", "expire-revision", "alarm", "alarm-moved",
	"aside", "aside-command", "note", "note-progress", "heartbeat", "heartbeat-hung", "heartbeat-unhealthy", "unhandled", "join-all-terms",
}

// recorder is a pair of seams that keeps what is written.
type recorder struct {
	driver.Broker
	driver.Store
	put     []driver.Message
	entries map[driver.Key]driver.Entry
}

func (r *recorder) Put(_ context.Context, messages []driver.Message) []driver.Stored {
	r.put = append(r.put, messages...)
	return make([]driver.Stored, len(messages))
}

func (r *recorder) Find(context.Context, deferred.ID) ([]driver.Delivery, error) { return nil, nil }

func (r *recorder) Read(_ context.Context, keys []driver.Key) ([]driver.Entry, error) {
	return []driver.Entry{r.entries[keys[0]]}, nil
}

func (r *recorder) ReadLatest(ctx context.Context, keys []driver.Key) ([]driver.Entry, error) {
	return r.Read(ctx, keys)
}

func (r *recorder) Write(_ context.Context, writes []driver.Write) []driver.Written {
	w := writes[0]
	r.entries[w.Key] = driver.Entry{Key: w.Key, Value: w.Value, Revision: 1}
	return []driver.Written{{Revision: 1}}
}

func (r *recorder) List(context.Context, driver.Query) iter.Seq2[driver.Entry, error] {
	return func(yield func(driver.Entry, error) bool) {
		for _, e := range r.entries {
			if !yield(e, nil) {
				return
			}
		}
	}
}

func recording() (*recorder, *Queue) {
	r := &recorder{entries: map[driver.Key]driver.Entry{}}
	return r, New(r, r, Config{Logger: slog.New(slog.DiscardHandler)})
}

func TestParkedCallsAreWrittenAsReleased(t *testing.T) {
	c := parkedCall()
	h := &holding{call: &wire.Call{Call: c, Submitted: noon.Add(-time.Hour)}}
	m, err := h.schedule(noon.Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	compareGolden(t, "parked", m)
}

func TestMovedCallsAreWrittenAsReleased(t *testing.T) {
	compareGolden(t, "parked-moved", moved(t, "parked"))
}

// moved is what a worker makes of a schedule that has fired.
func moved(t *testing.T, name string) driver.Message {
	t.Helper()
	r, q := recording()
	g := readGolden(t, name)
	d := g.delivery()
	d.Route = driver.Due
	f := &feed{records: q.records, config: q.config, log: q.log, house: nobody{}, leases: newLeases(time.Minute)}
	q.records.Broker = acknowledged{r}
	f.records.Clock.Start = noon.Add(time.Hour) // so that it is due
	d.Got = time.Now()
	f.leases.add(d)
	f.move(t.Context(), t.Context(), &holding{feed: f, delivery: d})
	return r.put[0]
}

type nobody struct{ driver.Subscription }

func (nobody) Release(driver.Lane, int) {}

type acknowledged struct{ *recorder }

func (acknowledged) Settle(context.Context, []driver.Settlement) error { return nil }

func TestFiredCallbacksAreWrittenAsReleased(t *testing.T) {
	r, q := recording()
	parent := &deferred.Record{ID: "parent", State: deferred.Succeeded}
	for i, cb := range []deferred.Callback{
		{On: deferred.OnSuccess, Call: deferred.Call{Name: "store", Callbacks: []deferred.Callback{{On: deferred.OnBoth, Call: deferred.Call{Name: "tidy"}}}}},
		{On: deferred.OnFailure, Call: deferred.Call{Name: "mail", Queue: "low", Args: deferred.JSON([]byte(`{"to":"me"}`))}},
		{On: deferred.OnBoth, Call: deferred.Call{Name: "remind", Delay: time.Hour, Retries: deferred.NoRetries}},
	} {
		parent.Callbacks = append(parent.Callbacks, deferred.RecordedCallback{On: cb.On, ID: deferred.ChildID("parent", i), Call: cb.Call})
	}
	if _, err := (&feed{records: q.records, config: q.config}).fire(t.Context(), &holding{Sighting: records.Sighting{Record: parent}}); err != nil {
		t.Fatal(err)
	}
	for i, name := range []string{"fired-success", "fired-branch-not-taken", "fired-delayed"} {
		compareGolden(t, name, r.put[i])
		g := readGolden(t, name)
		d := g.delivery()
		if c, err := wire.Decode(&d); err != nil || c.ID != deferred.ChildID("parent", i) || c.After.Parent != "parent" {
			t.Errorf("%s is read as %+v, %v", name, c, err)
		}
	}
}

func TestFiredCallbacksOfAKindAreWrittenAsReleased(t *testing.T) {
	r, q := recording()
	parent := &deferred.Record{ID: "parent", State: deferred.Failed, Failure: &deferred.Failure{Kind: "refused"}, Callbacks: []deferred.RecordedCallback{
		{On: deferred.OnFailure, Kinds: []string{"refused", "too dear"}, ID: deferred.ChildID("parent", 0), Call: deferred.Call{Name: "mail", Keep: 48 * time.Hour}},
		{On: deferred.OnBoth, ID: "j", Waiter: true},
		{On: deferred.OnSuccess, ID: "k", Waiter: true},
	}}
	if _, err := (&feed{records: q.records, config: q.config}).fire(t.Context(), &holding{Sighting: records.Sighting{Record: parent}}); err != nil {
		t.Fatal(err)
	}
	compareGolden(t, "fired-kinds", r.put[0])
	if len(r.put) != 2 || r.put[1].ID != "j" {
		t.Errorf("beside it %+v was put: a wake is for the waiters whose branch was taken", r.put[1:])
	}
	g := readGolden(t, "fired-kinds")
	d := g.delivery()
	if c, err := wire.Decode(&d); err != nil || !c.After.Takes(parent) {
		t.Errorf("it is read as %+v, %v", c, err)
	}
}

func TestCallbacksThatHaveWaitedAreForwardedAsReleased(t *testing.T) {
	r, q := recording()
	after := with(func(c *deferred.Call) {
		c.Retries, c.Labels, c.After = 3, map[string]string{"k": "v"}, &deferred.After{Parent: "p", On: deferred.OnFailure, Kinds: []string{"refused"}}
		c.BeginBy, c.Deadline, c.Timeout, c.Keep = noon.Add(time.Hour), noon.Add(2*time.Hour), time.Minute, 48*time.Hour
	})
	c := &wire.Call{Call: after, Submitted: noon.Add(-time.Hour)}
	f := &feed{records: q.records, config: q.config, leases: newLeases(time.Minute)}
	h := &holding{feed: f, delivery: driver.Delivery{Message: driver.Message{ID: "a"}, Got: time.Now()}, call: c, digest: c.Digest()}
	f.leases.add(h.delivery)
	if err := f.wait(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	if err := f.forward(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	if len(r.put) != 2 || r.put[0].Route != driver.Delay {
		t.Fatalf("%+v was put: first the alarm of the deadline, then the call", r.put)
	}
	compareGolden(t, "forwarded", r.put[1])
	g := readGolden(t, "forwarded")
	d := g.delivery()
	if got, err := wire.Decode(&d); err != nil || got.Digest() != c.Digest() || !got.Submitted.Equal(c.Submitted) {
		t.Errorf("it is read as %+v, %v: another call than the one that waited", got, err)
	}
}

func TestMessagesAreSetAsideAsReleased(t *testing.T) {
	r, q := recording()
	wrong := readGolden(t, "command-resolve-wrong")
	if err := q.records.SetAside(t.Context(), wrong.delivery(), "command", "the token is not that of a promise"); err != nil {
		t.Fatal(err)
	}
	compareGolden(t, "aside-command", r.put[0])
	d := driver.Delivery{Message: driver.Message{
		Route: driver.Ready, Queue: "default", Name: "demo/greet", ID: "a",
		Header: map[string]string{wire.HeaderContentType: deferred.TypeJSON, wire.HeaderRetries: "many"}, Body: []byte("world"),
	}}
	if err := q.records.SetAside(t.Context(), d, "malformed", "is not a number from 0 up"); err != nil {
		t.Fatal(err)
	}
	compareGolden(t, "aside", r.put[1])
}

func TestNotesAreWrittenAndReadAsReleased(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // whose time is that of the files
		r, q := recording()
		for name, note := range map[string]deferred.Note{
			"note":          {Key: "checkpoint", Value: json.RawMessage(`{"page":7}`)},
			"note-progress": {Key: deferred.ProgressKey, Value: json.RawMessage(`{"done":3,"total":10,"message":"files"}`), Attempt: 2, Worker: "w1"},
		} {
			if err := q.records.Annotate(t.Context(), "a", note); err != nil {
				t.Fatal(err)
			}
			g, e := readGolden(t, name), r.entries[records.NoteKey("a", note.Key)]
			if got := "notes." + e.Name; got != g.Subject || string(e.Value) != g.Body {
				t.Errorf("%s is written as %s %s now", name, got, e.Value)
			}
			note.Time, note.Past = time.Now(), note.Attempt < 1
			got, err := records.DecodeNote(driver.Entry{Key: e.Key, Value: []byte(g.Body)}, 1)
			if diff := cmp.Diff(note, got); diff != "" || err != nil {
				t.Errorf("%s means something else now: %v %s", name, err, diff)
			}
		}
	})
}

func TestUnhandledFailuresAreListedAsReleased(t *testing.T) {
	r, q := recording()
	failed := aRecord(deferred.Failed)
	failed.Name, failed.Queue, failed.Settled, failed.Failure = "demo/greet", "default", noon, &deferred.Failure{Kind: "refused"}
	if err := q.records.ListUnhandled(t.Context(), failed); err != nil {
		t.Fatal(err)
	}
	e, g := r.entries[records.UnhandledKey("a")], readGolden(t, "unhandled")
	if got := "unhandled." + e.Name; got != g.Subject || string(e.Value) != g.Body {
		t.Errorf("it is written as %s %s now", got, e.Value)
	}
}

func TestHeartbeatsAreWrittenAndReadAsReleased(t *testing.T) {
	for name, say := range map[string]liveness.Heartbeat{
		"heartbeat":           {WorkerStatus: deferred.WorkerStatus{Running: 2, Performed: 40}},
		"heartbeat-hung":      {WorkerStatus: deferred.WorkerStatus{Running: 2, Hung: 1, Performed: 40}},
		"heartbeat-unhealthy": {WorkerStatus: deferred.WorkerStatus{Performed: 40}, Unhealthy: "a stream is missing"},
	} {
		t.Run(name, func(t *testing.T) { heartbeatIsAsReleased(t, name, say) })
	}
}

func heartbeatIsAsReleased(t *testing.T, name string, say liveness.Heartbeat) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r, q := recording()
		b := liveness.NewMonitor(q.records.Store, liveness.NewClock(), deferred.Worker{
			Name: "w1", Incarnation: "I", Slots: 10, Lanes: []deferred.Lane{{Queue: "default", Name: "demo/greet"}},
			Status: func() deferred.WorkerStatus { return say.WorkerStatus },
		}, nil)
		if say.Unhealthy != "" {
			b.Health = func() error { return errors.New(say.Unhealthy) }
		}
		b.Say.Host, b.Say.PID = "host", 7
		if err := b.Beat(t.Context(), liveness.BeatEvery); err != nil {
			t.Fatal(err)
		}
		e, g := r.entries[b.Key()], readGolden(t, name)
		if got := "workers." + e.Name; got != g.Subject {
			t.Errorf("its key is %s now", got)
		}
		if diff := cmp.Diff(fields(t, []byte(g.Body)), fields(t, e.Value)); diff != "" {
			t.Errorf("its fields are others now (-released +now):\n%s", diff)
		}
		r.entries = map[driver.Key]driver.Entry{b.Key(): {Key: b.Key(), Value: []byte(g.Body), Revision: 1}}
		beats, err := q.Workers(t.Context())
		if diff := cmp.Diff([]liveness.Heartbeat{b.Say}, beats); diff != "" || err != nil {
			t.Errorf("it means something else now: %v %s", err, diff)
		}
	})
}

// fields are the names in an object. The times in a heartbeat bear the zone of
// the machine, so its text is not the same everywhere.
func fields(t *testing.T, data []byte) []string {
	t.Helper()
	var object map[string]any
	if err := json.Unmarshal(data, &object); err != nil {
		t.Fatal(err)
	}
	return slices.Sorted(maps.Keys(object))
}
