package deferred_test

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"zasync/pkg/deferred"
)

type picture struct {
	Path   string            `json:"path"`
	Width  int               `json:"width,omitempty"`
	Ratio  float64           `json:"ratio"`
	Tags   map[string]string `json:"tags"`
	Raw    []byte            `json:"raw"`
	Hidden string            `json:"-"`
	At     time.Time         `json:"at"`
	Inner  *picture          `json:"inner"`
}

func samplePicture() picture {
	return picture{
		Path: "a/b.png", Width: -70_000, Ratio: 1.5, Tags: map[string]string{"k": "v"}, Raw: []byte{0, 255},
		At: time.Date(2026, 11, 23, 17, 0, 0, 5, time.UTC), Inner: &picture{Path: "in"},
	}
}

func TestValuesComeBackFromBothCodecs(t *testing.T) {
	for _, codec := range []string{deferred.TypeJSON, deferred.TypeMessagePack} {
		c, err := deferred.EncodeAs(codec, samplePicture())
		if err != nil {
			t.Fatal(err)
		}
		if c.Type != codec {
			t.Errorf("the type is %q, want %q", c.Type, codec)
		}
		if err := c.Check(); err != nil {
			t.Error(err)
		}
		var got picture
		if err := c.Decode(&got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(samplePicture(), got); diff != "" {
			t.Errorf("%s: %s", codec, diff)
		}
	}
}

func TestBothCodecsNameFieldsByTheirJSONTags(t *testing.T) {
	for _, codec := range []string{deferred.TypeJSON, deferred.TypeMessagePack} {
		c, err := deferred.EncodeAs(codec, picture{Path: "p", Hidden: "h"})
		if err != nil {
			t.Fatal(err)
		}
		var fields map[string]any
		if err := c.Decode(&fields); err != nil {
			t.Fatal(err)
		}
		if fields["path"] != "p" {
			t.Errorf("%s: no field path in %v", codec, fields)
		}
		for _, absent := range []string{"Path", "Hidden", "-", "width"} {
			if _, ok := fields[absent]; ok {
				t.Errorf("%s: field %s in %v", codec, absent, fields)
			}
		}
	}
}

func TestBytesAreKeptAsTheyAre(t *testing.T) {
	for _, data := range [][]byte{{}, {0xff, 0}, []byte("{")} {
		c, err := deferred.Encode(data)
		if err != nil {
			t.Fatal(err)
		}
		if c.IsZero() || c.Type != deferred.TypeBytes || c.Check() != nil {
			t.Errorf("%v became %+v", data, c)
		}
		var got []byte
		if err := c.Decode(&got); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%v came back as %v, %v", data, got, err)
		}
		var s string
		if err := c.Decode(&s); err != nil || s != string(data) {
			t.Errorf("%v came back as %q, %v", data, s, err)
		}
		var n int
		if err := c.Decode(&n); err == nil {
			t.Errorf("%v decoded into a number", data)
		}
	}
}

func TestOtherTypesPassAsBytes(t *testing.T) {
	c := deferred.Content{Type: "text/csv; header=present", Data: []byte("a,b")}
	var v any
	if err := c.Decode(&v); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(any([]byte("a,b")), v); diff != "" {
		t.Error(diff)
	}
}

func TestSpellingsOfAMediaTypeAreOneCodec(t *testing.T) {
	number := []byte("7") // a JSON number, and the MessagePack of 55
	for spelling, want := range map[string]int{
		"application/json; charset=utf-8": 7, "Text/JSON": 7, "": 7, "application/x-msgpack": 55, "application/vnd.msgpack": 55,
	} {
		var got int
		if err := (deferred.Content{Type: spelling, Data: number}).Decode(&got); err != nil || got != want {
			t.Errorf("%q gives %d, %v; want %d", spelling, got, err, want)
		}
	}
}

func TestNoValueDecodesIntoTheZeroOfAnything(t *testing.T) {
	var zero deferred.Content
	if !zero.IsZero() || zero.Check() != nil {
		t.Error("the zero Content is not zero")
	}
	n, s, p := 5, "s", samplePicture()
	for _, v := range []any{&n, &s, &p} {
		if err := zero.Decode(v); err != nil {
			t.Error(err)
		}
	}
	if n != 0 || s != "" || p.Path != "" || p.Inner != nil {
		t.Errorf("left %v, %q, %v", n, s, p)
	}
	if text, err := zero.JSON(); err != nil || string(text) != "null" {
		t.Errorf("as JSON: %s, %v", text, err)
	}
	if !(deferred.Content{Type: deferred.TypeJSON}).IsZero() {
		t.Error("JSON without data is a value")
	}
}

func TestDecodingIntoNoPointerIsAnError(t *testing.T) {
	some, err := deferred.Encode(1)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []deferred.Content{{}, some, deferred.JSON([]byte("1"))} {
		for _, v := range []any{nil, 1, (*int)(nil), (*deferred.Content)(nil)} {
			if err := c.Decode(v); err == nil {
				t.Errorf("%+v decoded into %T", c, v)
			}
		}
	}
}

func TestContentAndRawJSONAreNotEncodedAgain(t *testing.T) {
	c := deferred.Content{Type: "text/plain", Data: []byte("a")}
	got, err := deferred.Encode(c)
	if err != nil || got.Type != c.Type || string(got.Data) != "a" {
		t.Errorf("content became %+v, %v", got, err)
	}
	got, err = deferred.Encode(json.RawMessage(`{"a": 1}`))
	if err != nil || got.Type != deferred.TypeJSON || string(got.Data) != `{"a": 1}` {
		t.Errorf("raw JSON became %+v, %v", got, err)
	}
	if _, err := deferred.Encode(json.RawMessage(`{`)); err == nil {
		t.Error("raw JSON that is none was taken")
	}
	if got, err := deferred.Encode(json.RawMessage(nil)); err != nil || string(got.Data) != "null" {
		t.Errorf("no raw JSON became %+v, %v", got, err)
	}
}

func TestRawJSONTakesAnyCodec(t *testing.T) {
	packed, err := deferred.Encode(map[string]any{"a": 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []deferred.Content{packed, deferred.JSON([]byte(`{"a":1}`))} {
		var raw json.RawMessage
		if err := c.Decode(&raw); err != nil || string(raw) != `{"a":1}` {
			t.Errorf("%s gave %s, %v", c.Type, raw, err)
		}
	}
}

func TestWhatCannotBeEncodedSaysSo(t *testing.T) {
	for _, codec := range []string{deferred.TypeJSON, deferred.TypeMessagePack} {
		for _, v := range []any{make(chan int), func() {}, map[string]any{"c": make(chan int)}} {
			if _, err := deferred.EncodeAs(codec, v); err == nil || !strings.HasPrefix(err.Error(), "deferred: encode ") {
				t.Errorf("%s of %T: %v", codec, v, err)
			}
		}
	}
}

func TestTheTypeOfAContentIsCheckedEvenWithoutData(t *testing.T) {
	for _, bad := range []string{
		"a/b\r\nZasync-Retries: 9", "text/plain; a=\"\x1b[31m\"", "json", "/", "a b", "text/plain;;", "text/\u202e", "a/b;c", "text/plain; a=\"\x00\"",
	} {
		refused(t, deferred.Content{Type: bad}.Check(), deferred.FieldContent)
		refused(t, deferred.Content{Type: bad, Data: []byte("a")}.Check(), deferred.FieldContent)
	}
	for _, good := range []string{"text/plain", "application/vnd.a.b+json; v=1", `text/plain; a="b c"`} {
		if err := (deferred.Content{Type: good, Data: []byte("a")}).Check(); err != nil {
			t.Error(err)
		}
	}
}

func TestEverythingShowsAsJSON(t *testing.T) {
	packed := func(v any) deferred.Content {
		t.Helper()
		c, err := deferred.Encode(v)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	raw := func(data ...byte) deferred.Content {
		return deferred.Content{Type: deferred.TypeMessagePack, Data: data}
	}
	at := time.Date(2026, 11, 23, 17, 0, 0, 5, time.FixedZone("x", 3600))
	for _, test := range []struct {
		content deferred.Content
		want    string
	}{
		{deferred.JSON([]byte(` {"a":1}`)), `{"a":1}`},
		{deferred.Content{Type: deferred.TypeBytes, Data: []byte{255}}, `"/w=="`},
		{deferred.Content{Type: "text/plain", Data: []byte("hi")}, `"aGk="`},
		{packed(nil), `null`},
		{packed(true), `true`},
		{packed(false), `false`},
		{packed(-1), `-1`},
		{packed(127), `127`},
		{packed(200), `200`},
		{packed(-200), `-200`},
		{packed(-70_000), `-70000`},
		{packed(int64(math.MinInt64)), `-9223372036854775808`},
		{packed(uint64(math.MaxUint64)), `18446744073709551615`},
		{packed(1.5), `1.5`},
		{packed(float32(0.1)), `0.1`},
		{packed(1e300), `1e+300`},
		{packed(math.NaN()), `"NaN"`},
		{packed(math.Inf(1)), `"Infinity"`},
		{packed(math.Inf(-1)), `"-Infinity"`},
		{packed("größe <b> \u2028\n\""), `"größe <b> \u2028\n\""`},
		{packed("a\xff"), `"a` + "\\ufffd" + `"`},
		{packed(strings.Repeat("x", 40)), `"` + strings.Repeat("x", 40) + `"`},
		{packed(map[string][]byte{"b": {1, 2}}), `{"b":"AQI="}`},
		{packed([]any{1, "a", nil, []int{}}), `[1,"a",null,[]]`},
		{packed(map[int]string{7: "x"}), `{"7":"x"}`},
		{packed(map[bool]int{true: 1}), `{"true":1}`},
		{packed(map[float64]int{0.5: 1}), `{"0.5":1}`},
		{packed(at), `"2026-11-23T16:00:00.000000005Z"`},
		{packed(time.Date(1800, 1, 1, 0, 0, 0, 0, time.UTC)), `"1800-01-01T00:00:00Z"`},
		{packed(time.Unix(1, 0)), `"1970-01-01T00:00:01Z"`},
		{packed(picture{Path: "p", At: time.Unix(0, 0)}), `{"path":"p","ratio":0,"tags":null,"raw":null,"at":"1970-01-01T00:00:00Z","inner":null}`},
		{raw(0x81, 0xc0, 1), `{"null":1}`},
		{raw(0x81, 0x91, 1, 2), `{"kQE=":2}`}, // {[1]: 2}
		{raw(0x81, 0xc4, 1, 255, 2), `{"/w==":2}`},
		{raw(0x80), `{}`},
		{raw(0xd4, 5, 9), `"CQ=="`},        // an extension of type 5
		{raw(0xd4, 255, 9), `"CQ=="`},      // of the type of times, but none
		{raw(0xc7, 0, 5), `""`},            // an empty one
		{raw(0xde, 0, 1, 1, 2), `{"1":2}`}, // a map of the 16-bit form
		{raw(0xdc, 0, 1, 1), `[1]`},
	} {
		got, err := test.content.JSON()
		if err != nil || strings.TrimSpace(string(got)) != test.want {
			t.Errorf("%s %x shows as %s, %v; want %s", test.content.Type, test.content.Data, got, err, test.want)
		}
		if !json.Valid(got) {
			t.Errorf("%s is not JSON", got)
		}
	}
}
