package deferred_test

import (
	"context"
	"encoding/json"
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"zasync/pkg/deferred"
)

var bothCodecs = []string{deferred.TypeJSON, deferred.TypeMessagePack}

// decoded is a value after it went through a codec, into a T.
func decoded[T any](t require, codec string, v any) (got T) {
	t.Helper()
	c, err := deferred.EncodeAs(codec, v)
	if err == nil {
		err = c.Decode(&got)
	}
	if err != nil {
		t.Fatalf("%s of %v: %v", codec, v, err)
	}
	return got
}

type require interface {
	Helper()
	Fatalf(format string, args ...any)
}

// Both codecs give values without a type the same types: which of them a caller
// uses is no affair of a handler.
func TestUntypedValueHasTheSameTypeFromEitherCodec(t *testing.T) {
	for _, c := range []struct{ in, want any }{
		{nil, nil},
		{true, true},
		{"", ""},
		{"9007199254740993", "9007199254740993"},
		{0, int64(0)},
		{-1, int64(-1)},
		{127, int64(127)},
		{int8(-128), int64(-128)},
		{uint8(200), int64(200)},
		{int16(-300), int64(-300)},
		{uint16(65535), int64(65535)},
		{int32(-70_000), int64(-70_000)},
		{uint32(math.MaxUint32), int64(math.MaxUint32)},
		{9007199254740993, int64(9007199254740993)},
		{-9007199254740993, int64(-9007199254740993)},
		{int64(math.MinInt64), int64(math.MinInt64)},
		{uint64(math.MaxInt64), int64(math.MaxInt64)},
		{uint64(math.MaxInt64) + 1, uint64(math.MaxInt64) + 1},
		{uint64(math.MaxUint64), uint64(math.MaxUint64)},
		{1.5, 1.5},
		{float32(0.5), 0.5},
		{1e300, 1e300},
		{-5e-324, -5e-324},
		{[]any{}, []any{}},
		{[]int{1, 2}, []any{int64(1), int64(2)}},
		{map[string]any{}, map[string]any{}},
		{map[int]uint8{7: 8, -1: 9}, map[string]any{"7": int64(8), "-1": int64(9)}},
		{map[string]any{"a": []any{9007199254740993, map[string]any{"b": 1.5}}}, map[string]any{"a": []any{int64(9007199254740993), map[string]any{"b": 1.5}}}},
		{struct {
			N uint64 `json:"n"`
		}{1 << 63}, map[string]any{"n": uint64(1 << 63)}},
	} {
		for _, codec := range bothCodecs {
			if got := decoded[any](t, codec, c.in); !reflect.DeepEqual(got, c.want) {
				t.Errorf("%s: %T %v became %T %v, want %T", codec, c.in, c.in, got, got, c.want)
			}
		}
	}
}

// untypedParts has places without a type wherever they may be.
type untypedParts struct {
	Field   any                    `json:"field"`
	List    []any                  `json:"list"`
	Map     map[string]any         `json:"map"`
	Lists   map[string][]any       `json:"lists"`
	Array   [2]any                 `json:"array"`
	Pointer *untypedParts          `json:"pointer,omitempty"`
	Structs map[string]untypedPart `json:"structs"`
	Typed   int8                   `json:"typed"`
	Number  json.Number            `json:"number"`
	untypedPart
}

type untypedPart struct {
	Value any `json:"value"`
}

func TestUntypedPartOfATypedValueHasTheSameTypeFromEitherCodec(t *testing.T) {
	const n = 9007199254740993
	parts := func(n any) untypedParts {
		return untypedParts{
			Field: n, List: []any{n}, Map: map[string]any{"a": n}, Lists: map[string][]any{"a": {n}}, Array: [2]any{n, "x"},
			Structs: map[string]untypedPart{"a": {n}}, Typed: 7, Number: "7", untypedPart: untypedPart{n},
		}
	}
	in, want := parts(n), parts(int64(n))
	inner, wantInner := parts(n), parts(int64(n))
	in.Pointer, want.Pointer = &inner, &wantInner
	for _, codec := range bothCodecs {
		got := decoded[untypedParts](t, codec, in)
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v", codec, got)
		}
		if got := decoded[[]map[string]untypedPart](t, codec, []map[string]untypedPart{{"a": {n}}}); got[0]["a"].Value != any(int64(n)) {
			t.Errorf("%s: %T %v", codec, got[0]["a"].Value, got)
		}
	}
	for key, value := range decoded[map[any]any](t, deferred.TypeMessagePack, map[any]any{1: 2}) { // JSON has no such keys
		if key != any(int64(1)) || value != any(int64(2)) {
			t.Errorf("a map of anything has %T: %T", key, value)
		}
	}
}

func TestWhatJSONDoesNotHaveComesFromMessagePackAsItIs(t *testing.T) {
	at := time.Date(2026, 11, 27, 8, 0, 0, 5, time.UTC)
	if got := decoded[any](t, deferred.TypeMessagePack, []any{[]byte("hi"), at}).([]any); string(got[0].([]byte)) != "hi" || !got[1].(time.Time).Equal(at) {
		t.Errorf("MessagePack gives %T %T", got[0], got[1])
	}
	want := []any{"aGk=", "2026-11-27T08:00:00.000000005Z"}
	if diff := cmp.Diff(any(want), decoded[any](t, deferred.TypeJSON, []any{[]byte("hi"), at})); diff != "" {
		t.Error(diff)
	}
}

func TestNumberOfJSONIsAnIntegerIfItIsWrittenAsOne(t *testing.T) {
	for text, want := range map[string]any{
		"1": int64(1), "-0": int64(0), "1.0": 1.0, "1e3": 1e3, "1E3": 1e3, "18446744073709551615": uint64(math.MaxUint64),
		"18446744073709551616": float64(1 << 64), "-9223372036854775809": -9223372036854775809.0,
	} {
		var got any
		if err := deferred.JSON([]byte(text)).Decode(&got); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s became %T %v, %v", text, got, got, err)
		}
	}
	for _, text := range []string{"1e400", `[1e400]`, `{"a":1e400}`, "1 2", "01", " "} {
		var got any
		if err := deferred.JSON([]byte(text)).Decode(&got); err == nil {
			t.Errorf("%q became %v", text, got)
		}
	}
}

// own decodes itself, into types of its own choice.
type own struct{ Value any }

func (o *own) UnmarshalJSON([]byte) error    { o.Value = int8(1); return nil }
func (o *own) UnmarshalMsgpack([]byte) error { o.Value = int8(1); return nil }

func TestTypeThatDecodesItselfChoosesItsTypes(t *testing.T) {
	for _, codec := range bothCodecs {
		got := decoded[struct{ Own []own }](t, codec, map[string]any{"Own": []any{5}})
		if len(got.Own) != 1 || got.Own[0].Value != any(int8(1)) {
			t.Errorf("%s: %+v", codec, got)
		}
	}
}

// ringed may be part of a ring before something is decoded into it.
type ringed struct {
	Next, Last *ringed
	Value      any
}

func TestDecodingIntoARingEnds(t *testing.T) {
	for _, codec := range bothCodecs {
		a, b := &ringed{}, &ringed{}
		a.Next, a.Last, b.Next, b.Last = b, b, a, a
		c, err := deferred.EncodeAs(codec, map[string]any{"Value": 5})
		if err == nil {
			err = c.Decode(a)
		}
		if err != nil || a.Value != any(int64(5)) || a.Next != b {
			t.Errorf("%s: %v, %v", codec, a.Value, err)
		}
	}
}

func TestUntypedArgumentsAndResultsAreExact(t *testing.T) {
	const echo deferred.Func[any, any] = "echo"
	const n = 9007199254740993
	for _, codec := range bothCodecs {
		c := echo.Call(nil)
		args, err := deferred.EncodeAs(codec, map[string]any{"n": n})
		if err != nil {
			t.Fatal(err)
		}
		c.Args = args
		got, err := echo.Await(t.Context(), deferred.Resolved(c.Args))
		if diff := cmp.Diff(any(map[string]any{"n": int64(n)}), got); err != nil || diff != "" {
			t.Errorf("%s: %v %s", codec, err, diff)
		}
	}
}

func TestUntypedCheckpointIsExact(t *testing.T) {
	ctx := deferred.WithAttempt(context.Background(), &deferred.Attempt{Checkpoint: json.RawMessage(`{"n":9007199254740993}`)})
	var got any
	if found, err := deferred.LoadCheckpoint(ctx, &got); !found || err != nil {
		t.Fatal(found, err)
	}
	if diff := cmp.Diff(any(map[string]any{"n": int64(9007199254740993)}), got); diff != "" {
		t.Error(diff)
	}
}

// untypedValue draws what both codecs have. A float that is whole is left out: JSON
// writes it as an integer.
func untypedValue(depth int) *rapid.Generator[any] {
	leaves := []*rapid.Generator[any]{
		rapid.Just(any(nil)), rapid.Bool().AsAny(), rapid.Int64().AsAny(),
		rapid.Uint64Min(1 << 63).AsAny(), rapid.StringN(0, 8, -1).AsAny(),
		rapid.Float64().Filter(func(f float64) bool { return f != math.Trunc(f) }).AsAny(),
	}
	if depth == 0 {
		return rapid.OneOf(leaves...)
	}
	inner := untypedValue(depth - 1)
	return rapid.OneOf(append(leaves,
		rapid.Map(rapid.SliceOfN(inner, 0, 4), func(v []any) any { return append([]any{}, v...) }),
		rapid.Map(rapid.MapOfN(rapid.StringN(0, 4, -1), inner, 0, 4), func(m map[string]any) any { return m }))...)
}

func TestUntypedValueComesBackAsItWas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := untypedValue(4).Draw(t, "value")
		for _, codec := range bothCodecs {
			if got := decoded[any](t, codec, v); !reflect.DeepEqual(got, v) {
				t.Fatalf("%s: %s", codec, cmp.Diff(v, got))
			}
		}
	})
}

// untypedFault is what is in a value and not one of the types that Decode names.
func untypedFault(v any) any {
	switch v := v.(type) {
	case nil, bool, string, int64, float64, []byte, time.Time:
	case uint64:
		if v <= math.MaxInt64 {
			return v
		}
	case []any:
		for _, element := range v {
			if fault := untypedFault(element); fault != nil {
				return fault
			}
		}
	case map[string]any:
		for _, value := range v {
			if fault := untypedFault(value); fault != nil {
				return fault
			}
		}
	default:
		return v
	}
	return nil
}

// FuzzUntyped: whatever somebody sends, in either codec, is decoded into the types that
// Decode names, and what came as JSON comes through MessagePack as the same.
func FuzzUntyped(f *testing.F) {
	for _, data := range []string{
		`9007199254740993`, `[18446744073709551615,1.0,-0,1e400]`, `{"a":{"b":[null,true,"x",1.5]}}`, "\xcf\xff\xff\xff\xff\xff\xff\xff\xff",
		"\x82\x01\xca\x3f\x00\x00\x00\xa1a\xd0\x80", "\x92\xc4\x01a\xd6\xff\x00\x00\x00\x01", "\x81\x91\x01\x02",
	} {
		f.Add([]byte(data))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, codec := range bothCodecs {
			var v any
			if (deferred.Content{Type: codec, Data: data}).Decode(&v) != nil {
				continue
			}
			if fault := untypedFault(v); fault != nil {
				t.Errorf("%s: %T %v", codec, fault, fault)
			}
			again, err := deferred.Encode(v)
			if err != nil || codec != deferred.TypeJSON {
				continue // it is nested deeper than is stored
			}
			var w any
			if err := again.Decode(&w); err != nil || !reflect.DeepEqual(v, w) {
				t.Errorf("%v became %v, %v", v, w, err)
			}
		}
	})
}

func TestIntegerDecodesIntoTypedTargetsFromEitherCodec(t *testing.T) {
	for _, codec := range bothCodecs {
		for _, n := range []any{7, int8(7), uint64(7), int64(7)} {
			got := []any{
				decoded[int](t, codec, n), decoded[int8](t, codec, n), decoded[uint16](t, codec, n), decoded[int32](t, codec, n),
				decoded[uint64](t, codec, n), decoded[float64](t, codec, n), decoded[json.RawMessage](t, codec, n),
				decoded[map[string]int8](t, codec, map[string]any{"a": n}), decoded[[]float64](t, codec, []any{n}),
			}
			want := []any{7, int8(7), uint16(7), int32(7), uint64(7), 7.0, json.RawMessage("7"), map[string]int8{"a": 7}, []float64{7}}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s of %T: %s", codec, n, diff)
			}
		}
	}
}
