package deferred_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"zasync/pkg/deferred"
)

// same compares records and callbacks; no content in them has an error to hide.
var same = cmp.Options{cmpopts.IgnoreUnexported(deferred.Content{}), cmpopts.EquateEmpty()}

func clock(seconds int) time.Time {
	return time.Date(2026, 11, 23, 17, 0, seconds, 123456789, time.UTC)
}

// goldenRecords says what the files in testdata/golden hold. The files are
// frozen: records of every version that was ever released are stored somewhere.
// A new field gets a new file.
func goldenRecords() map[string]deferred.Record {
	base := func(s deferred.State) deferred.Record {
		return deferred.Record{
			ID: "1764000000123456", Name: "image/resize", Queue: "default", State: s, Attempt: 1, Retries: 10, Seen: true,
			Token: deferred.Token{Worker: "RZ4JMJ2D6ZTPZFVH5Q7W3XNBKC", Attempt: 1}, Digest: "9f86d081884c7d659a2feaa0c55ad015",
			Submitted: clock(0), Started: clock(1),
		}
	}
	records := map[string]deferred.Record{}

	scheduled := base(deferred.Scheduled)
	scheduled.Counts = deferred.Counts{Failures: 1, Commits: 2, Deaths: 3}
	scheduled.Attempt, scheduled.NotBefore, scheduled.BeginBy = 6, clock(30), clock(59)
	records["scheduled"] = scheduled

	records["pending"] = deferred.Record{ID: "stub", State: deferred.Pending}
	records["running"] = base(deferred.Running)

	waiting := base(deferred.Waiting)
	waiting.Parent = &deferred.RecordedParent{ID: "parent", On: deferred.OnFailure, Released: true}
	waiting.Args = deferred.JSON([]byte(`{"a":[1,2],"b":"<&>"}`))
	records["waiting"] = waiting

	held := base(deferred.Held)
	held.Labels = map[string]string{"tenant": "größe", "b": `"q"`}
	records["held"] = held

	reason := base(deferred.Held)
	reason.Obeyed, reason.HoldReason = 1764000000123457, "until the \"disk\" <is> replaced"
	records["held_reason"] = reason

	succeeded := base(deferred.Succeeded)
	succeeded.Settled = clock(2)
	succeeded.Result = deferred.JSON([]byte(`6`))
	succeeded.Callbacks = goldenCallbacks()
	records["succeeded"] = succeeded

	packed := base(deferred.Succeeded)
	packed.Settled = clock(2)
	packed.Result = deferred.Content{Type: deferred.TypeMessagePack, Data: []byte{0x81, 0xa1, 'a', 0xff}}
	records["succeeded_msgpack"] = packed

	failed := base(deferred.Failed)
	failed.Settled = clock(2)
	failed.Args = deferred.Content{Type: "text/plain; charset=utf-8", Data: []byte("a\xffb")}
	failed.Failure = &deferred.Failure{
		Kind: "payment declined", Message: "charge 7: no funds", Attempt: 1, Worker: "w1", Stack: "main.go:1\n\tmain.go:2",
		Chain: []deferred.Cause{{Kind: "payment declined", Message: "no funds"}, {Kind: "error", Message: "EOF"}},
	}
	records["failed"] = failed

	cancelled := base(deferred.Cancelled)
	cancelled.Settled, cancelled.Token, cancelled.Attempt, cancelled.Started = clock(2), deferred.Token{}, 0, time.Time{}
	cancelled.Failure = deferred.CancelFailure("no longer needed")
	records["cancelled"] = cancelled

	carried := cancelled
	carried.Carried = true
	records["cancelled_carried"] = carried

	expired := base(deferred.Expired)
	expired.Settled, expired.BeginBy = clock(9), clock(8)
	expired.Failure = &deferred.Failure{Kind: deferred.KindExpired, Message: "it had to begin by then"}
	records["expired"] = expired

	for _, more := range []map[string]deferred.Record{goldenJoins(), goldenPromises(), goldenCalled()} {
		maps.Copy(records, more)
	}
	return records
}

func goldenCallbacks() []deferred.RecordedCallback {
	return []deferred.RecordedCallback{
		{On: deferred.OnSuccess, ID: "c0", Fired: true, Settled: true, Call: deferred.Call{
			Name: "next", Queue: "low", Args: deferred.JSON([]byte(`{"x":1}`)), Labels: map[string]string{"k": "v"},
			Retries: 3, Delay: 90 * time.Second, NotBefore: clock(10), BeginBy: clock(40),
			Callbacks: []deferred.Callback{{On: deferred.OnFailure, Call: deferred.Call{
				Name: "deep", Retries: deferred.NoRetries, Args: deferred.Content{Type: deferred.TypeMessagePack, Data: []byte{0xc0}},
				Callbacks: []deferred.Callback{{On: deferred.OnBoth, Call: deferred.Call{Name: "deeper"}}},
			}}},
		}},
		{On: deferred.OnBoth, ID: "c1", Call: deferred.Call{Name: "always", Args: deferred.Content{Type: deferred.TypeBytes, Data: []byte{}}}},
	}
}

// golden reads a file, which is one line.
func golden(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "golden", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return bytes.TrimSuffix(data, []byte("\n"))
}

func TestStoredRecordsAreReadForEver(t *testing.T) {
	for name, want := range goldenRecords() {
		var got deferred.Record
		if err := json.Unmarshal(golden(t, name), &got); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, got, same); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestTheStoredFormOfRecordsDoesNotChange(t *testing.T) {
	for name, r := range goldenRecords() {
		got, err := r.AppendJSON(nil)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(golden(t, name)), string(got)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestARecordedCallbackByItselfHasTheSameForm(t *testing.T) {
	for _, want := range goldenCallbacks() {
		data, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(golden(t, "succeeded"), data) {
			t.Errorf("%s is not what stands in the record", data)
		}
		var got deferred.RecordedCallback
		if err := json.Unmarshal(data, &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, same); diff != "" {
			t.Error(diff)
		}
	}
	for _, bad := range []string{`[]`, `{"delay":"soon"}`} {
		if err := json.Unmarshal([]byte(bad), new(deferred.RecordedCallback)); err == nil {
			t.Errorf("%s was understood", bad)
		}
	}
}

func TestEveryStateHasAGoldenRecord(t *testing.T) {
	records := goldenRecords()
	for _, s := range deferred.States {
		if r, ok := records[string(s)]; !ok || r.State != s {
			t.Errorf("none is %s", s)
		}
	}
	files, err := filepath.Glob("testdata/golden/*.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		name := strings.TrimSuffix(filepath.Base(f), ".json")
		if _, ok := records[name]; !ok && goldenHeaders()[name] == nil {
			t.Errorf("%s is read by no test", f)
		}
	}
}

// travelling gives the golden callbacks as they travel with a call: nothing has
// happened to them yet.
func travelling() []deferred.Callback {
	var callbacks []deferred.Callback
	for _, c := range goldenCallbacks() {
		callbacks = append(callbacks, deferred.Callback{On: c.On, Call: c.Call})
	}
	return callbacks
}

// goldenHeaders are the files that hold callbacks as they travel.
func goldenHeaders() map[string][]deferred.Callback {
	return map[string][]deferred.Callback{"callbacks": travelling(), "callbacks_kinds": goldenLanes()}
}

func TestCallbacksInHeadersAreReadForEver(t *testing.T) {
	for name, want := range goldenHeaders() {
		got, err := deferred.UnmarshalCallbacks(golden(t, name))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, same); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestTheFormOfCallbacksInHeadersDoesNotChange(t *testing.T) {
	for name, c := range goldenHeaders() {
		got, err := deferred.MarshalCallbacks(c)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(golden(t, name)), string(got)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}
