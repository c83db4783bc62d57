package workerpool_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"

	"zasync/pkg/deferred"
	"zasync/pkg/workerpool"
)

type picture struct {
	Name  string `json:"name"`
	Width int    `json:"width"`
}

func TestAnyFunctionCanBeAHandler(t *testing.T) {
	tests := []struct {
		name   string
		fn     any
		args   string
		result string // JSON; "" for none
		fails  string // what the failure says
	}{
		{name: "nothing", fn: func() {}, args: `[1]`},
		{name: "result alone", fn: func() string { return "yes" }, result: `"yes"`},
		{name: "error alone", fn: func() error { return errTest }, fails: "out of paper"},
		{name: "nil error", fn: func(int) error { return nil }, args: `1`},
		{name: "both", fn: func(p picture) (string, error) { return p.Name, nil }, args: `{"name":"moon"}`, result: `"moon"`},
		{name: "both, failing", fn: func(p picture) (string, error) { return p.Name, errTest }, args: `{}`, fails: "out of paper"},
		{name: "pointer", fn: func(p *picture) *picture { p.Width *= 2; return p }, args: `{"name":"moon","width":2}`, result: `{"name":"moon","width":4}`},
		{name: "nil pointer", fn: func(p *picture) bool { return p == nil }, args: `null`, result: `true`},
		{name: "list into one", fn: func(l []int) int { return len(l) }, args: `[1,2,3]`, result: `3`},
		{name: "no arguments into one", fn: func(n int) int { return n + 1 }, result: `1`},
		{name: "context", fn: func(ctx context.Context) string { return string(deferred.AttemptFrom(ctx).ID) }, result: `"1"`},
		{name: "context and one", fn: func(ctx context.Context, n int) (int, error) { return n, ctx.Err() }, args: `5`, result: `5`},
		{name: "two", fn: func(a int, b string) string { return fmt.Sprint(a, b) }, args: `[1,"x"]`, result: `"1x"`},
		{name: "context and three", fn: func(_ context.Context, a, b float64, p picture) float64 { return a + b + float64(p.Width) }, args: `[1,2,{"width":3}]`, result: `6`},
		{name: "null among several", fn: func(a *int, b int) bool { return a == nil && b == 0 }, args: `[null,null]`, result: `true`},
		{name: "anything", fn: func(a any, b any) any { return []any{b, a} }, args: `["x",{"y":[true]}]`, result: `[{"y":[true]},"x"]`},
		{name: "variadic", fn: sum, args: `[1,2,3]`, result: `6`},
		{name: "variadic with none", fn: sum, args: `[]`, result: `0`},
		{name: "variadic without arguments", fn: sum, result: `0`},
		{name: "context and variadic", fn: func(_ context.Context, p string, n ...string) string { return p + strings.Join(n, "") }, args: `["a","b","c"]`, result: `"abc"`},
		{name: "variadic with the fixed ones only", fn: func(p string, n ...int) int { return len(p) + len(n) }, args: `["ab"]`, result: `2`},
		{name: "variadic with too few", fn: func(p string, n ...int) int { return len(p) + len(n) }, args: `[]`, fails: "takes a list of 1, not of 0"},
		{name: "too few", fn: func(a, b int) int { return a + b }, args: `[1]`, fails: "takes a list of 2, not of 1"},
		{name: "too many", fn: func(a, b int) int { return a + b }, args: `[1,2,3]`, fails: "takes a list of 2, not of 3"},
		{name: "none for two", fn: func(a, b int) int { return a + b }, fails: "takes a list of 2, not of 0"},
		{name: "no list", fn: func(a, b int) int { return a + b }, args: `{"a":1}`, fails: "takes a list"},
		{name: "wrong element", fn: func(a, b int) int { return a + b }, args: `[1,"2"]`, fails: "int"},
		{name: "wrong variadic element", fn: sum, args: `[1,"2"]`, fails: "int"},
	}
	for _, tt := range tests {
		for _, codec := range []string{deferred.TypeJSON, deferred.TypeMessagePack} {
			t.Run(tt.name+" in "+codec, func(t *testing.T) {
				var m workerpool.Mux
				if err := m.Function("work", tt.fn); err != nil {
					t.Fatal(err)
				}
				c, _ := perform(t, &m, argsIn(t, codec, tt.args))
				if tt.fails != "" {
					f := c.outcome.Failure
					if f == nil || !strings.Contains(f.Message, tt.fails) || (f.Message != errTest.Error()) != (f.Kind == deferred.KindBadArguments) {
						t.Errorf("outcome %+v, failure %+v", c.outcome, f)
					}
					return
				}
				if c.outcome.State != deferred.Succeeded || c.outcome.Result.IsZero() != (tt.result == "") {
					t.Fatalf("outcome %+v, failure %+v", c.outcome, c.outcome.Failure)
				}
				var got, want any
				if err := c.outcome.Result.Decode(&got); err != nil {
					t.Fatal(err)
				}
				if err := jsonText(tt.result).Decode(&want); err != nil {
					t.Fatal(err)
				}
				if d := cmp.Diff(fmt.Sprint(want), fmt.Sprint(got)); d != "" {
					t.Error(d)
				}
			})
		}
	}
}

func sum(n ...int) (total int) {
	for _, i := range n {
		total += i
	}
	return total
}

// argsIn writes JSON text in a codec; "" is no arguments.
func argsIn(t *testing.T, codec, text string) deferred.Content {
	t.Helper()
	if text == "" {
		return deferred.Content{}
	}
	var v any
	if err := jsonText(text).Decode(&v); err != nil {
		t.Fatal(err)
	}
	c, err := deferred.EncodeAs(codec, whole(v))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// whole makes integers of the numbers in decoded JSON: MessagePack tells them
// from floats.
func whole(v any) any {
	switch v := v.(type) {
	case float64:
		return int(v)
	case []any:
		for i := range v {
			v[i] = whole(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = whole(v[k])
		}
	}
	return v
}

func TestRawBytesAreNoList(t *testing.T) {
	var m workerpool.Mux
	if err := m.Function("work", func(a, b []byte) {}); err != nil {
		t.Fatal(err)
	}
	c, _ := perform(t, &m, deferred.Content{Type: deferred.TypeBytes, Data: []byte("ab")})
	if f := c.outcome.Failure; f == nil || f.Kind != deferred.KindBadArguments {
		t.Errorf("outcome %+v, failure %+v", c.outcome, f)
	}
}

type paperError struct{}

func (*paperError) Error() string { return "paper" }

func TestFunctionOfAnotherFormIsRefused(t *testing.T) {
	var nilFunc func()
	for text, fn := range map[string]any{
		"it is not a function":                nil,
		"string: it is not a function":        "f",
		"func(): it is not a function":        nilFunc,
		"context must be the first":           func(int, context.Context) {},
		"...context.Context":                  func(...context.Context) {},
		"parameter of type chan int":          func(chan int) {},
		"parameter of type func()":            func(int, func()) {},
		"parameter of type fmt.Stringer":      func(fmt.Stringer) {},
		"parameter of type complex128":        func(...complex128) {},
		"parameter of type unsafe.Pointer":    func(unsafe.Pointer) {},
		"func() (int, int): it must return":   func() (int, int) { return 0, 0 },
		"func() (error, int): it must return": func() (error, int) { return nil, 0 }, //nolint:staticcheck // the wrong order is the point
		"(int, int, error): it must return":   func() (int, int, error) { return 0, 0, nil },
		"declared as error":                   func() *paperError { return nil },
		"result of type chan int":             func() chan int { return nil },
		"result of type fmt.Stringer":         func() (fmt.Stringer, error) { return nil, nil },
	} {
		var m workerpool.Mux
		err := m.Function("work", fn)
		if err == nil || !strings.HasPrefix(err.Error(), `workerpool: register "work": `) || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: %v", text, err)
		}
		if names := m.Names(); len(names) != 0 {
			t.Errorf("%s: registered all the same", text)
		}
	}
}

func TestRegisteringAMistakePanics(t *testing.T) {
	raw := func(_ context.Context, c deferred.Content) (deferred.Content, error) { return c, nil }
	for text, register := range map[string]func(m *workerpool.Mux){
		`register "": deferred: name must not be empty`:           func(m *workerpool.Mux) { m.Handle("", raw) },
		`register "a b": deferred: name "a b" must be of letters`: func(m *workerpool.Mux) { m.Handle("a b", raw) },
		`register "work": the name has a handler already`:         func(m *workerpool.Mux) { m.Handle("work", raw) },
		`the handler of "raw" is nil`:                             func(m *workerpool.Mux) { m.Handle("raw", nil) },
		`the handler of "greet" is nil`:                           func(m *workerpool.Mux) { workerpool.Register(m, greet, nil) },
		`"work": the name has a handler`:                          func(m *workerpool.Mux) { workerpool.Register(m, work, sleeping(0)) },
	} {
		func() {
			defer func() {
				if got := fmt.Sprint(recover()); !strings.HasPrefix(got, "workerpool: ") || !strings.Contains(got, text) {
					t.Errorf("%s: %v", text, got)
				}
			}()
			register(muxOf(sleeping(0)))
		}()
	}
	err := muxOf(sleeping(0)).Function("work", func() {})
	if err == nil || !strings.Contains(err.Error(), "has a handler already") {
		t.Errorf("second handler by reflection: %v", err)
	}
}

func TestWrappersAreAroundEveryHandlerTheFirstOutermost(t *testing.T) {
	var trace []string
	wrapper := func(name string) func(workerpool.Handler) workerpool.Handler {
		return func(h workerpool.Handler) workerpool.Handler {
			return func(ctx context.Context, in deferred.Content) (deferred.Content, error) {
				trace = append(trace, name+" "+deferred.AttemptFrom(ctx).Lane.Name)
				return h(ctx, in)
			}
		}
	}
	var m workerpool.Mux
	m.Use(wrapper("outer"))
	workerpool.Register(&m, work, func(_ context.Context, n int) (int, error) {
		trace = append(trace, "handler")
		return n, nil
	})
	m.Use(wrapper("inner"))
	perform(t, &m, jsonText("1"))
	if want := []string{"outer work", "inner work", "handler"}; !slices.Equal(want, trace) {
		t.Errorf("called: %v", trace)
	}
}
