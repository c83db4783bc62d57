package deferred

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

// reference writes a record through encoding/json and the struct that reads it.
func reference(t *rapid.T, r *Record) string {
	w := recordJSON{
		ID: r.ID, Name: r.Name, Queue: r.Queue, State: r.State, Attempt: r.Attempt, Counts: r.Counts,
		Retries: r.Retries, Seen: r.Seen, Token: r.Token, Digest: r.Digest,
		Submitted: r.Submitted.UTC(), NotBefore: r.NotBefore.UTC(), BeginBy: r.BeginBy.UTC(), Started: r.Started.UTC(), Settled: r.Settled.UTC(),
		Labels: r.Labels, Parent: r.Parent, HoldReason: r.HoldReason, Failure: r.Failure,
	}
	for i := range r.Callbacks {
		w.Callbacks = append(w.Callbacks, r.Callbacks[i].form())
	}
	w.Args, w.ArgsType = inline(r.Args)
	w.Result, w.ResultType = inline(r.Result)
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(w); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(buf.String(), "\n")
}

// textual draws plain names, and anything else a string may hold.
func textual() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.StringMatching(`[a-z/]{0,20}`),
		rapid.String(),
		rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 20), func(b []byte) string { return string(b) }),
		rapid.SampledFrom([]string{"<b>&", "\u2028", "\x7f", `"\`, "\x00", "größe", "a\xff"}),
	)
}

func moment() *rapid.Generator[time.Time] {
	return rapid.Custom(func(t *rapid.T) time.Time {
		if rapid.Bool().Draw(t, "no time") {
			return time.Time{}
		}
		seconds := rapid.Int64Range(-2_000_000_000, 7_000_000_000).Draw(t, "seconds")
		nanos := rapid.SampledFrom([]int64{0, 1, 120, 120_000_000, 999_999_999}).Draw(t, "nanos")
		zone := time.FixedZone("z", rapid.IntRange(-12, 14).Draw(t, "zone")*3600)
		return time.Unix(seconds, nanos).In(zone)
	})
}

func content() *rapid.Generator[Content] {
	return rapid.OneOf(
		rapid.Just(Content{}),
		rapid.Map(rapid.SampledFrom([]string{`{"a": [1, "x y\" \\"], "b":{}}`, `"<\u2028"`, "\"\u2028 \"", ` 7 `, "\n[\t1,\r\n2]", "{", "", "\"\xff\"", "1e400"}),
			func(s string) Content { return JSON([]byte(s)) }),
		rapid.Custom(func(t *rapid.T) Content {
			return Content{
				Type: rapid.SampledFrom([]string{TypeMessagePack, TypeBytes, "text/plain", "", "<\x00>", "application/json; charset=utf-8"}).Draw(t, "type"),
				Data: rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "data"),
			}
		}),
	)
}

func call(depth int) *rapid.Generator[Call] {
	return rapid.Custom(func(t *rapid.T) Call {
		c := Call{
			Name: textual().Draw(t, "name"), Queue: textual().Draw(t, "queue"), Args: content().Draw(t, "args"),
			NotBefore: moment().Draw(t, "not before"), BeginBy: moment().Draw(t, "begin by"),
			Delay: time.Duration(rapid.Int64Min(0).Draw(t, "delay")), Retries: rapid.IntMin(-1).Draw(t, "retries"),
			Labels: rapid.MapOfN(textual(), textual(), 0, 3).Draw(t, "labels"),
		}
		for range rapid.IntRange(0, depth).Draw(t, "callbacks") {
			c.Callbacks = append(c.Callbacks, Callback{On: Branch(textual().Draw(t, "on")), Call: call(depth-1).Draw(t, "callback")})
		}
		return c
	})
}

func record() *rapid.Generator[Record] {
	return rapid.Custom(func(t *rapid.T) Record {
		number := rapid.IntRange(0, 3)
		r := Record{
			ID: ID("i" + textual().Draw(t, "id")), Name: textual().Draw(t, "name"), Queue: textual().Draw(t, "queue"),
			State: rapid.SampledFrom(States).Draw(t, "state"), Attempt: rapid.Int().Draw(t, "attempt"), Retries: number.Draw(t, "retries"),
			Seen: rapid.Bool().Draw(t, "seen"), Digest: textual().Draw(t, "digest"),
			Counts:    Counts{Failures: number.Draw(t, "failures"), Commits: number.Draw(t, "commits"), Deaths: number.Draw(t, "deaths")},
			Token:     Token{Worker: textual().Draw(t, "worker"), Attempt: number.Draw(t, "token")},
			Submitted: moment().Draw(t, "submitted"), NotBefore: moment().Draw(t, "not before"), BeginBy: moment().Draw(t, "begin by"),
			Started: moment().Draw(t, "started"), Settled: moment().Draw(t, "settled"),
			Labels:     rapid.MapOfN(textual(), textual(), 0, 3).Draw(t, "labels"),
			HoldReason: textual().Draw(t, "hold reason"),
			Args:       content().Draw(t, "args"), Result: content().Draw(t, "result"),
		}
		for range number.Draw(t, "callbacks") {
			r.Callbacks = append(r.Callbacks, RecordedCallback{
				On: OnBoth, ID: ID(textual().Draw(t, "child")), Call: call(2).Draw(t, "call"),
				Fired: rapid.Bool().Draw(t, "fired"), Settled: rapid.Bool().Draw(t, "child settled"),
			})
		}
		if rapid.Bool().Draw(t, "has parent") {
			r.Parent = &RecordedParent{ID: ID(textual().Draw(t, "parent")), On: OnSuccess, Released: rapid.Bool().Draw(t, "released")}
		}
		if rapid.Bool().Draw(t, "has failure") {
			r.Failure = &Failure{Kind: textual().Draw(t, "kind"), Message: textual().Draw(t, "message"), Stack: textual().Draw(t, "stack")}
		}
		return r
	})
}

func TestRecordsAreWrittenAsEncodingJSONWouldWriteThem(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := record().Draw(t, "record")
		got, err := r.AppendJSON(nil)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(reference(t, &r), string(got)); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestWhatIsReadOfARecordIsWrittenAndReadTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := record().Draw(t, "record")
		first := roundTrip(t, &r) // now without what no JSON can carry, as a lone 0xff
		second := roundTrip(t, &first)
		if diff := cmp.Diff(first, second, cmpopts.IgnoreUnexported(Content{}), cmpopts.EquateEmpty()); diff != "" {
			t.Fatal(diff)
		}
	})
}

func roundTrip(t *rapid.T, r *Record) Record {
	data, err := r.AppendJSON(nil)
	if err != nil {
		t.Fatal(err)
	}
	var back Record
	if err := back.UnmarshalJSON(data); err != nil {
		t.Fatal(err)
	}
	return back
}

func TestRecordsThroughEncodingJSONSayTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := record().Draw(t, "record")
		direct := roundTrip(t, &r)
		data, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		var through Record
		if err := json.Unmarshal(data, &through); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(direct, through, cmp.Comparer(sameValue), cmpopts.EquateEmpty()); diff != "" {
			t.Fatal(diff)
		}
	})
}

// sameValue overlooks the escapes that encoding/json puts into JSON that it
// carries along.
func sameValue(a, b Content) bool {
	var v, w any
	if a.Type == TypeJSON && json.Unmarshal(a.Data, &v) == nil && json.Unmarshal(b.Data, &w) == nil {
		return a.Type == b.Type && cmp.Equal(v, w)
	}
	return a.Type == b.Type && bytes.Equal(a.Data, b.Data)
}
