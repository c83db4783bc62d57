package deferred_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/vmihailenco/msgpack/v5"
	"pgregory.net/rapid"

	"zasync/pkg/deferred"
)

func nested(open, closing string, n int) []byte {
	return []byte(strings.Repeat(open, n) + closing)
}

func TestHostileContentIsRefused(t *testing.T) {
	for name, c := range map[string]deferred.Content{
		"no JSON":                  deferred.JSON([]byte("{")),
		"JSON and more":            deferred.JSON([]byte("1 2")),
		"JSON not in UTF-8":        deferred.JSON([]byte("\"\xff\"")),
		"deep JSON":                deferred.JSON(append(nested("[", "", 1001), nested("]", "", 1001)...)),
		"very deep JSON":           deferred.JSON(append(nested("[", "", 10001), nested("]", "", 10001)...)),
		"a field that is no JSON":  deferred.JSON([]byte(`{"a":}`)),
		"truncated MessagePack":    {Type: deferred.TypeMessagePack, Data: []byte{0x92, 1}},
		"MessagePack and more":     {Type: deferred.TypeMessagePack, Data: []byte{1, 2}},
		"deep MessagePack":         {Type: deferred.TypeMessagePack, Data: nested("\x91", "\xc0", 1001)},
		"very deep MessagePack":    {Type: deferred.TypeMessagePack, Data: nested("\x91", "\xc0", 200_000)},
		"deep keys of MessagePack": {Type: deferred.TypeMessagePack, Data: nested("\x81", "\xc0", 200_000)},
		"no MessagePack":           {Type: deferred.TypeMessagePack, Data: []byte{0xc1}},
		"a string of 4 GB":         {Type: deferred.TypeMessagePack, Data: []byte{0xdb, 255, 255, 255, 255, 'a', 'b', 'c', 'd', 'e'}},
		"bytes of 4 GB":            {Type: deferred.TypeMessagePack, Data: []byte{0xc6, 255, 255, 255, 255, 'a', 'b', 'c', 'd', 'e'}},
		"an array of 4 G":          {Type: deferred.TypeMessagePack, Data: []byte{0xdd, 255, 255, 255, 255, 1, 2, 3, 4, 5}},
		"a map of 4 G":             {Type: deferred.TypeMessagePack, Data: []byte{0xdf, 255, 255, 255, 255, 1, 2, 3, 4, 5}},
		"an extension of 4 GB":     {Type: deferred.TypeMessagePack, Data: []byte{0xc9, 255, 255, 255, 255, 255, 2, 3, 4, 5}},
	} {
		t.Run(name, func(t *testing.T) {
			call := deferred.Call{Name: "a", Args: c}
			refused(t, call.Check(), deferred.FieldArgs)
			refused(t, c.Check(), deferred.FieldData)
			if name == "JSON not in UTF-8" || name == "deep JSON" {
				return // encoding/json reads these
			}
			for _, v := range []any{new(any), new([]string), new([]int64), new([]picture), new(map[string]string), new(map[any]any), new([]byte), new(string), new(time.Time), new(json.RawMessage)} {
				if err := c.Decode(v); err == nil {
					t.Errorf("it decodes into %T", v)
				}
			}
			if _, err := c.JSON(); err == nil {
				t.Error("it shows as JSON")
			}
		})
	}
}

func TestNestingUpToTheLimitAndBracketsWithinTextAreRight(t *testing.T) {
	for _, c := range []deferred.Content{
		deferred.JSON(append(nested("[", "", 1000), nested("]", "", 1000)...)),
		deferred.JSON([]byte("[" + strings.TrimSuffix(strings.Repeat("[],{},", 2000), ",") + "]")),
		deferred.JSON([]byte(`"` + strings.Repeat("[", 2000) + `"`)),
		deferred.JSON([]byte(`"\"` + strings.Repeat("[", 2000) + `\\"`)),
		{Type: deferred.TypeMessagePack, Data: nested("\x91", "\xc0", 1000)},
	} {
		if err := c.Check(); err != nil {
			t.Error(err)
		}
	}
}

func TestClaimedLengthsAreNotAllocated(t *testing.T) {
	for _, head := range []byte{0xc6, 0xc9, 0xdb, 0xdd, 0xdf} {
		c := deferred.Content{Type: deferred.TypeMessagePack, Data: []byte{head, 255, 255, 255, 255, 1, 2, 3, 4, 5}}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for _, v := range []any{new(any), new([]string), new([]picture), new(map[string]any), new([]byte), new(string)} {
			_ = c.Decode(v)
		}
		_, _ = c.JSON()
		_ = c.Check()
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
			t.Errorf("ten bytes that begin with 0x%02x took %d bytes", head, n)
		}
	}
}

func TestNumbersThatDoNotFitAreErrorsNotPanics(t *testing.T) {
	c := deferred.JSON([]byte("1e400"))
	if err := c.Check(); err != nil {
		t.Errorf("it is JSON, and somebody may be able to read it: %v", err)
	}
	var f float64
	if err := c.Decode(&f); err == nil {
		t.Errorf("1e400 decoded as %v", f)
	}
	var raw json.RawMessage
	if err := c.Decode(&raw); err != nil || string(raw) != "1e400" {
		t.Errorf("1e400 came as %s, %v", raw, err)
	}
}

func TestKeysThatCannotBeKeysAreErrorsNotPanics(t *testing.T) {
	c := deferred.Content{Type: deferred.TypeMessagePack, Data: []byte{0x81, 0x91, 1, 2}} // {[1]: 2}
	var m map[any]any
	if err := c.Decode(&m); err == nil {
		t.Errorf("decoded as %v", m)
	}
}

func TestKeysWithinKeysDoNotGrow(t *testing.T) {
	data := []byte{0xc0}
	for range 900 {
		data = append(append([]byte{0x81}, data...), 0xc0)
	}
	got, err := deferred.Content{Type: deferred.TypeMessagePack, Data: data}.JSON()
	if err != nil || len(got) > 2*len(data) {
		t.Errorf("%d bytes show as %d, %v", len(data), len(got), err)
	}
}

// anyValue draws what both codecs can carry.
func anyValue() *rapid.Generator[any] {
	return rapid.OneOf(
		rapid.Map(rapid.Int64(), func(n int64) any { return n }),
		rapid.Map(rapid.Uint64(), func(n uint64) any { return n }),
		rapid.Map(rapid.Float64(), func(f float64) any { return f }),
		rapid.Map(rapid.Float32(), func(f float32) any { return f }),
		rapid.Map(rapid.String(), func(s string) any { return s }),
		rapid.Map(rapid.Bool(), func(b bool) any { return b }),
		rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) any { return b }),
		rapid.Map(rapid.SliceOfN(rapid.Int32(), 0, 40), func(s []int32) any { return s }),
		rapid.Map(rapid.MapOfN(rapid.String(), rapid.Int16(), 0, 40), func(m map[string]int16) any { return m }),
		rapid.Map(rapid.SliceOfN(rapid.SliceOfN(rapid.String(), 0, 3), 0, 3), func(s [][]string) any { return s }),
		rapid.Just(any(nil)),
	)
}

// What the library writes, the walk over it accepts; what the library shows
// through encoding/json, the walk shows.
func TestMessagePackShowsAsEncodingJSONWouldShowIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := []any{anyValue().Draw(t, "value"), anyValue().Draw(t, "another")}
		c, err := deferred.Encode(v)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Check(); err != nil {
			t.Fatal(err)
		}
		got, err := c.JSON()
		if err != nil {
			t.Fatal(err)
		}
		want, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err) // floats are drawn finite, and all else has a form in JSON
		}
		var g, w any
		if err := errors.Join(json.Unmarshal(got, &g), json.Unmarshal(want, &w)); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(w, g); diff != "" {
			t.Fatalf("%x: %s", c.Data, diff)
		}
	})
}

// The walk and the library agree on where a value ends, whatever the bytes.
func TestTheWalkOverMessagePackAgreesWithTheLibrary(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		data := rapid.SliceOfN(rapid.Byte(), 1, 40).Draw(t, "data")
		r := bytes.NewReader(data)
		theirs := msgpack.NewDecoder(r).Skip()
		ours := deferred.Content{Type: deferred.TypeMessagePack, Data: data}.Check()
		if (theirs == nil && r.Len() == 0) != (ours == nil) {
			t.Fatalf("%x: the library says %v with %d left, the walk %v", data, theirs, r.Len(), ours)
		}
	})
}
