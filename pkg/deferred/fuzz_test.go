package deferred_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"zasync/pkg/deferred"
)

// addGolden seeds a target with the golden files.
func addGolden(f *testing.F, pattern string) {
	f.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "golden", pattern))
	if err != nil || len(files) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
}

// FuzzContent: whatever somebody sends as arguments, nothing panics, what
// passes the check decodes and shows as JSON, and what decodes encodes to
// something that decodes to the same.
func FuzzContent(f *testing.F) {
	for _, data := range []string{
		"", "7", `{"a":[1,"x"]}`, "\x81\xa1a\x01", "\x92\xc0\xc3", "\xdd\xff\xff\xff\xff", "\x81\x91\x01\x02", "\xd6\xff\x00\x00\x00\x01", "\xc1", "\"\xff\"",
	} {
		for _, codec := range []string{deferred.TypeJSON, deferred.TypeMessagePack, deferred.TypeBytes, "", "text/plain; a=b", "no type"} {
			f.Add(codec, []byte(data))
		}
	}
	f.Fuzz(func(t *testing.T, codec string, data []byte) {
		c := deferred.Content{Type: codec, Data: data}
		for _, v := range []any{new(string), new([]byte), new(int), new(float64), new([]any), new(map[string]string), new(map[any]any), new(picture), new([]picture), new(time.Time)} {
			_ = c.Decode(v)
		}
		shown, err := c.JSON()
		if c.Check() == nil && err != nil {
			t.Fatalf("it is right, and does not show: %v", err)
		}
		if err == nil && !json.Valid(shown) {
			t.Fatalf("it shows as %s, which is not JSON", shown)
		}
		var v any
		if c.Decode(&v) != nil {
			return
		}
		again, err := deferred.EncodeAs(codec, v)
		if err != nil {
			return // decoded into what has no form in this codec, such as NaN in JSON
		}
		var w any
		if err := again.Decode(&w); err != nil {
			t.Fatalf("%v encodes to what does not decode: %v", v, err)
		}
		once, err := again.JSON()
		if err != nil {
			t.Fatal(err)
		}
		last, err := deferred.EncodeAs(codec, w)
		if err != nil {
			t.Fatal(err)
		}
		twice, err := last.JSON()
		if err != nil {
			t.Fatal(err)
		}
		var a, b any // maps have no order
		if err := errors.Join(json.Unmarshal(once, &a), json.Unmarshal(twice, &b)); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(a, b); diff != "" {
			t.Fatalf("%s became %s", once, twice)
		}
	})
}

// FuzzRecord: whatever stands in the store, nothing panics, and what is read is
// written and read the same.
func FuzzRecord(f *testing.F) {
	addGolden(f, "*.json")
	f.Fuzz(func(t *testing.T, data []byte) {
		var r deferred.Record
		if json.Unmarshal(data, &r) != nil {
			return
		}
		first, err := r.AppendJSON(nil)
		if err != nil {
			return // a time that moved out of the years that JSON knows
		}
		var back deferred.Record
		if err := json.Unmarshal(first, &back); err != nil {
			t.Fatalf("%s: %v", first, err)
		}
		second, err := back.AppendJSON(nil)
		if err != nil || !bytes.Equal(first, second) {
			t.Fatalf("%s became %s, %v", first, second, err)
		}
	})
}

// FuzzCallbacks: whatever somebody sends as callbacks, nothing panics, and what
// is read and passes the check is written and read the same.
func FuzzCallbacks(f *testing.F) {
	addGolden(f, "callbacks.json")
	f.Add([]byte(`[{"on":"both","name":"a","retries":0,"delay":"1h","callbacks":[{"on":"success","name":"b"}]}]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		callbacks, err := deferred.UnmarshalCallbacks(data)
		if err != nil {
			return
		}
		c := deferred.Call{Name: "a", Callbacks: callbacks}
		if c.Check() != nil {
			return
		}
		first, err := deferred.MarshalCallbacks(callbacks)
		if err != nil {
			t.Fatal(err)
		}
		back, err := deferred.UnmarshalCallbacks(first)
		if err != nil {
			t.Fatalf("%s: %v", first, err)
		}
		second, err := deferred.MarshalCallbacks(back)
		if err != nil || !bytes.Equal(first, second) {
			t.Fatalf("%s became %s, %v", first, second, err)
		}
		if bytes.ContainsAny(first, "\r\n") {
			t.Fatalf("%q breaks the line of a header", first)
		}
	})
}
