package deferred_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"zasync/pkg/deferred"
)

func TestFieldsOfNewerVersionsAreIgnored(t *testing.T) {
	var r deferred.Record
	err := json.Unmarshal([]byte(`{"id":"a","state":"pending","quantum":{"x":[1]},"callbacks":[{"on":"both","name":"n","spin":1}],"parent":{"id":"p","on":"both","z":0}}`), &r)
	if err != nil {
		t.Fatal(err)
	}
	want := deferred.Record{
		ID: "a", State: deferred.Pending, Parent: &deferred.RecordedParent{ID: "p", On: deferred.OnBoth},
		Callbacks: []deferred.RecordedCallback{{On: deferred.OnBoth, Call: deferred.Call{Name: "n"}}},
	}
	if diff := cmp.Diff(want, r, same); diff != "" {
		t.Error(diff)
	}
}

func TestRecordsThatCannotBeUnderstoodAreErrors(t *testing.T) {
	for _, text := range []string{
		`{"id":"a","state":"dreaming"}`, `{"id":"a"}`, `{"state":"pending"}`, `{}`, `[]`, `7`, `"a"`, `{"id":7,"state":"pending"}`,
		`{"id":"a","state":"pending","attempt":"many"}`, `{"id":"a","state":"pending","submitted":"yesterday"}`,
		`{"id":"a","state":"pending","result":"%%%","result_type":"application/msgpack"}`,
		`{"id":"a","state":"pending","result":7,"result_type":"text/\u001b[31m"}`,
		`{"id":"a","state":"pending","args":7,"args_type":"application/msgpack"}`,
		`{"id":"a","state":"pending","callbacks":[{"on":"both","name":"n","delay":"soon"}]}`,
		`{"id":"a","state":"pending","callbacks":[{"on":"both","name":"n","callbacks":[{"args":1,"args_type":"a/b"}]}]}`,
		`{"id":"a","state":"pending","callbacks":{}}`,
	} {
		var r deferred.Record
		err := json.Unmarshal([]byte(text), &r)
		if err == nil {
			t.Errorf("%s was understood", text)
			continue
		}
		if strings.ContainsFunc(err.Error(), func(r rune) bool { return r < ' ' }) {
			t.Errorf("the text has control characters: %q", err)
		}
	}
}

func TestARecordThatClaimsToHoldJSONAndDoesNotIsStillReadable(t *testing.T) {
	deep := strings.Repeat("[", 9990) + strings.Repeat("]", 9990)
	for _, data := range []string{"{", "\"\xff\"", "1 2", deep, "\x00"} {
		r := claimed()
		r.Result = deferred.JSON([]byte(data))
		text, err := r.AppendJSON(nil)
		if err != nil {
			t.Fatal(err)
		}
		var got deferred.Record
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(r, got, same); diff != "" {
			t.Error(diff)
		}
	}
}

func TestContentWithoutATypeIsKeptAsTheJSONThatItWouldBe(t *testing.T) {
	for _, data := range []string{"{", "7"} {
		r := claimed()
		r.Args = deferred.Content{Data: []byte(data)}
		text, err := r.AppendJSON(nil)
		if err != nil {
			t.Fatal(err)
		}
		var got deferred.Record
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(deferred.JSON([]byte(data)), got.Args, same); diff != "" {
			t.Error(diff)
		}
	}
}

func TestTheLargestRecordsFitIntoAMessage(t *testing.T) {
	const maxPayload = 1 << 20 // of a server with the default settings
	angry := strings.Repeat("\x01", 1<<20)
	link := func(err error) error { return &layered{text: angry, err: err} }
	err := errors.New(angry)
	for range 40 {
		err = link(err)
	}
	r := claimed()
	r.Settle(deferred.Failed, deferred.PanicOutcome(err, []byte(angry)).Failure)
	r.Callbacks = []deferred.RecordedCallback{{On: deferred.OnBoth, Call: callbacksOf(t, deferred.MaxCallbacksSize)[0].Call}}
	r.Labels = map[string]string{"k": strings.Repeat("<", deferred.MaxLabelsSize)}
	r.Hold(angry) // one that is to be tried again keeps its failure
	for _, args := range []deferred.Content{
		{Type: deferred.TypeBytes, Data: make([]byte, deferred.MaxArgsSize)},
		deferred.JSON([]byte(`"` + strings.Repeat("<", deferred.MaxArgsSize-2) + `"`)),
	} {
		r.Args = args
		text, err := r.AppendJSON(nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(text) > maxPayload-4096 {
			t.Errorf("the record has %d bytes", len(text))
		}
	}
}

func TestJSONStandsInlineWithoutLineBreaks(t *testing.T) {
	cb := []deferred.Callback{{On: deferred.OnBoth, Call: deferred.Call{Name: "n", Args: deferred.JSON([]byte("{\r\n \"a\\\" b\" :\t[ 1 , \"x\\\\\" ] }"))}}}
	data, err := deferred.MarshalCallbacks(cb)
	if err != nil {
		t.Fatal(err)
	}
	if want := `[{"on":"both","name":"n","args":{"a\" b":[1,"x\\"]}}]`; string(data) != want {
		t.Errorf("got %s, want %s", data, want)
	}
}

func TestTimesWithoutAJSONFormAreErrors(t *testing.T) {
	for _, year := range []int{-1, 10_000} {
		r := claimed()
		r.NotBefore = time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC)
		if _, err := json.Marshal(r); err == nil {
			t.Errorf("the year %d was written", year)
		}
		cb := []deferred.Callback{{Call: deferred.Call{NotBefore: r.NotBefore}}}
		if _, err := deferred.MarshalCallbacks(cb); err == nil {
			t.Errorf("the year %d was written in a callback", year)
		}
		r = claimed()
		r.Callbacks = []deferred.RecordedCallback{{Call: cb[0].Call}}
		if _, err := r.AppendJSON(nil); err == nil {
			t.Errorf("the year %d was written in a callback of a record", year)
		}
	}
}

func TestTimesAreStoredInUTC(t *testing.T) {
	r := claimed()
	r.Started = r.Started.In(time.FixedZone("east", 5*3600))
	text, err := r.AppendJSON(nil)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(text, []byte(`"started":"2026-11-23T17:00:00.223456789Z"`)) {
		t.Errorf("got %s", text)
	}
}

func TestAppendingKeepsWhatStandsThere(t *testing.T) {
	r := claimed()
	alone, err := r.AppendJSON(nil)
	if err != nil {
		t.Fatal(err)
	}
	after, err := r.AppendJSON([]byte("before "))
	if err != nil {
		t.Fatal(err)
	}
	if string(after) != "before "+string(alone) {
		t.Errorf("got %s", after)
	}
}

func TestTypicalRecordsAreWrittenWithoutGarbage(t *testing.T) {
	for _, r := range []deferred.Record{claimed(), committed()} {
		if n := testing.AllocsPerRun(100, func() { _, _ = r.AppendJSON(nil) }); n > 2 { // one, and one more under the race detector
			t.Errorf("a %s record takes %v allocations", r.State, n)
		}
	}
}

func TestDeepCallbacksAreReadInOneGo(t *testing.T) {
	data, err := deferred.MarshalCallbacks(chain(700))
	if err != nil {
		t.Fatal(err)
	}
	n := testing.AllocsPerRun(1, func() {
		if _, err := deferred.UnmarshalCallbacks(data); err != nil {
			t.Fatal(err)
		}
	})
	if n > 20_000 {
		t.Errorf("reading 700 callbacks takes %v allocations", n)
	}
}

func TestCallbacksOverTheLimitAreNotRead(t *testing.T) {
	_, err := deferred.UnmarshalCallbacks(bytes.Repeat([]byte("["), deferred.MaxCallbacksSize+1))
	refused(t, err, deferred.FieldCallbacks)
}

func TestCallbacksInHeadersAreReadStrictly(t *testing.T) {
	for _, text := range []string{
		`[{"on":"both","name":"n","retires":3}]`, `[{"on":"both","name":"n","callbacks":[{"\u001b":1}]}]`, `[] []`, `[]]`, `{}`, `7`, ``,
	} {
		_, err := deferred.UnmarshalCallbacks([]byte(text))
		if err == nil {
			t.Errorf("%s was understood", text)
		} else if strings.ContainsRune(err.Error(), '\x1b') {
			t.Errorf("the text has control characters: %q", err)
		}
	}
}

func TestASenderCannotSayThatCallbacksHaveFired(t *testing.T) {
	got, err := deferred.UnmarshalCallbacks([]byte(`[{"on":"both","id":"x","name":"n","fired":true,"settled":true}]`))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]deferred.Callback{{On: deferred.OnBoth, Call: deferred.Call{Name: "n"}}}, got, same); diff != "" {
		t.Error(diff)
	}
}

func TestNoRetriesIsNotTheDefault(t *testing.T) {
	for _, retries := range []int{0, 1, 10, deferred.NoRetries} {
		data, err := deferred.MarshalCallbacks([]deferred.Callback{{On: deferred.OnBoth, Call: deferred.Call{Name: "n", Retries: retries}}})
		if err != nil {
			t.Fatal(err)
		}
		got, err := deferred.UnmarshalCallbacks(data)
		if err != nil {
			t.Fatal(err)
		}
		if got[0].Call.Retries != retries {
			t.Errorf("%d came back as %d", retries, got[0].Call.Retries)
		}
	}
}

func TestSettlingDropsWhatTheOutcomeDoesNotHave(t *testing.T) {
	r := claimed()
	r.Args, r.Result = deferred.JSON([]byte("1")), deferred.JSON([]byte("2"))
	f := &deferred.Failure{Kind: "k"}
	r.Settle(deferred.Failed, f)
	want := claimed()
	want.State, want.Failure = deferred.Failed, f
	if diff := cmp.Diff(want, r, same); diff != "" {
		t.Error(diff)
	}
	if o := r.Outcome(); o.State != deferred.Failed || o.Failure != f {
		t.Errorf("the outcome is %+v", o)
	}
}

func TestAClonedRecordIsItsOwn(t *testing.T) {
	r := claimed()
	r.Callbacks, r.Parent = goldenCallbacks(), &deferred.RecordedParent{ID: "p", On: deferred.OnBoth}
	before, err := r.AppendJSON(nil)
	if err != nil {
		t.Fatal(err)
	}
	c := r.Clone()
	c.Callbacks[1].Fired, c.Parent.Released = true, true
	c.Callbacks = append(c.Callbacks, deferred.RecordedCallback{})
	after, err := r.AppendJSON(nil)
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("the record changed with its clone: %s, %v", after, err)
	}
	if c = (&deferred.Record{ID: "a"}).Clone(); c.Parent != nil || c.Callbacks != nil {
		t.Errorf("the clone has more than the record: %+v", c)
	}
}

func TestCallbacksAreUnfiredUntilAllAreFired(t *testing.T) {
	r := claimed()
	if r.Unfired() {
		t.Error("a record without callbacks has unfired ones")
	}
	r.Callbacks = []deferred.RecordedCallback{{Fired: true}, {}}
	if !r.Unfired() {
		t.Error("one is not fired")
	}
	r.Callbacks[1].Fired = true
	if r.Unfired() {
		t.Error("all are fired")
	}
}
