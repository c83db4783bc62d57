package workerpool_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"zasync/pkg/deferred"
	"zasync/pkg/workerpool"
)

var contents = cmp.Comparer(func(a, b deferred.Content) bool { return a.Type == b.Type && bytes.Equal(a.Data, b.Data) })

// perform has a pool perform one call of work and gives what became of it.
func perform(t *testing.T, m *workerpool.Mux, args deferred.Content) (c *fakeCall, log string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p := start(t, &workerpool.Pool{Mux: m, Slots: 1})
		c = p.source.add("work", args)
		pass(time.Second)
		if p.source.endOf(c) != "settled" {
			t.Fatalf("the call is %q, not settled", p.source.endOf(c))
		}
		if s := p.source.worker.Status(); s.Running != 0 {
			t.Errorf("the slot is not free: %+v", s)
		}
		log = p.log.line(t, "id=1")
		p.finish(t)
	})
	return c, log
}

func TestHandlerSaysByItsErrorWhatFollows(t *testing.T) {
	tests := []struct {
		name  string
		err   error
		state deferred.State
		retry deferred.Advice
		log   string
	}{
		{"error", fmt.Errorf("print: %w", errTest), deferred.Failed, deferred.Advice{}, `level=WARN msg="attempt failed"`},
		{"permanent", deferred.Permanent(errTest), deferred.Failed, deferred.Advice{Never: true}, `level=WARN msg="attempt failed"`},
		{"later", deferred.RetryAfter(time.Hour, errTest), deferred.Failed, deferred.Advice{After: time.Hour}, `level=WARN msg="attempt failed"`},
		{"snooze", deferred.Snooze(time.Hour), deferred.Scheduled, deferred.Advice{After: time.Hour}, `level=INFO msg="call snoozed"`},
		{"success", nil, deferred.Succeeded, deferred.Advice{}, `level=DEBUG msg="call succeeded"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, log := perform(t, muxOf(func(context.Context, int) (int, error) { return 0, tt.err }), jsonText("1"))
			if c.outcome.State != tt.state || c.outcome.Retry != tt.retry {
				t.Errorf("outcome %+v", c.outcome)
			}
			if f := c.outcome.Failure; tt.state == deferred.Failed && (f.Message != tt.err.Error() || f.Attempt != 3 || f.Worker != "tester") {
				t.Errorf("failure %+v", f)
			}
			for _, part := range []string{tt.log, "name=work", "queue=default", "attempt=3", "worker=tester", "took="} {
				if !strings.Contains(log, part) {
					t.Errorf("the log has no %s: %s", part, log)
				}
			}
			if failed := tt.state == deferred.Failed; failed != strings.Contains(log, "out of paper") {
				t.Errorf("log: %s", log)
			}
		})
	}
}

func explode(v any) { panic(v) }

func TestPanicIsAFailureWithItsStack(t *testing.T) {
	c, log := perform(t, muxOf(func(context.Context, int) (int, error) { explode("no ink"); return 0, nil }), jsonText("1"))
	f := c.outcome.Failure
	if c.outcome.State != deferred.Failed || f.Kind != deferred.KindPanic || f.Message != "no ink" || f.Attempt != 3 || f.Worker != "tester" {
		t.Errorf("outcome %+v, failure %+v", c.outcome, f)
	}
	if !strings.Contains(f.Stack, "workerpool_test.explode") {
		t.Errorf("stack: %s", f.Stack)
	}
	if !strings.Contains(log, `level=ERROR msg="handler panicked"`) || !strings.Contains(log, `err="panic: no ink"`) {
		t.Errorf("log: %s", log)
	}
}

func TestHandlerThatExitsItsGoroutineHasFailed(t *testing.T) {
	c, _ := perform(t, muxOf(func(context.Context, int) (int, error) { runtime.Goexit(); return 0, nil }), jsonText("1"))
	f := c.outcome.Failure
	if c.outcome.State != deferred.Failed || !strings.Contains(f.Message, "exited its goroutine") || f.Attempt != 3 {
		t.Errorf("outcome %+v, failure %+v", c.outcome, f)
	}
}

func TestBadArgumentsFailForGood(t *testing.T) {
	for name, args := range map[string]deferred.Content{
		"other type":    jsonText(`"one"`),
		"broken":        jsonText(`{`),
		"unknown codec": {Type: "application/cbor", Data: []byte{1}},
		"no codec":      {Type: "???", Data: []byte{1}},
	} {
		t.Run(name, func(t *testing.T) {
			c, _ := perform(t, muxOf(func(context.Context, int) (int, error) { t.Error("performed"); return 0, nil }), args)
			f := c.outcome.Failure
			if c.outcome.State != deferred.Failed || !c.outcome.Retry.Never || f.Kind != deferred.KindBadArguments || !strings.Contains(f.Message, "int") {
				t.Errorf("outcome %+v, failure %+v", c.outcome, f)
			}
		})
	}
}

func TestResultThatCannotBeEncodedFailsForGood(t *testing.T) {
	var typed, raw, wrong, content workerpool.Mux
	workerpool.Register(&typed, "work", func(context.Context, int) (float64, error) { return math.NaN(), nil })
	raw.Handle("work", func(context.Context, deferred.Content) (deferred.Content, error) { return jsonText("{"), nil })
	workerpool.Register(&content, "work", func(context.Context, int) (deferred.Content, error) { return jsonText("{"), nil })
	if err := wrong.Function("work", func() any { return func() {} }); err != nil {
		t.Fatal(err)
	}
	var deep, deepRaw, deepContent workerpool.Mux
	workerpool.Register(&deep, "work", func(context.Context, any) (any, error) { return nested(1500), nil })
	deepRaw.Handle("work", func(_ context.Context, in deferred.Content) (deferred.Content, error) {
		return nestedAs(in.Type, 1500), nil
	})
	if err := deepContent.Function("work", func() any { return nestedAs(deferred.TypeMessagePack, 1500) }); err != nil {
		t.Fatal(err)
	}
	packed, err := deferred.Encode(1)
	if err != nil {
		t.Fatal(err)
	}
	for name, m := range map[string]*workerpool.Mux{
		"typed": &typed, "raw": &raw, "any": &wrong, "content": &content, "deep": &deep, "deep raw": &deepRaw, "deep content": &deepContent,
	} {
		for _, in := range []deferred.Content{jsonText("1"), packed} {
			if name == "typed" && in.Type != deferred.TypeJSON {
				continue // it is NaN, which MessagePack has
			}
			c, _ := perform(t, m, in)
			if f := c.outcome.Failure; f == nil || !c.outcome.Retry.Never || f.Kind != deferred.KindResultCodec {
				t.Errorf("%s: outcome %+v, failure %+v", name, c.outcome, f)
			}
		}
	}
}

func TestUntypedArgumentsHaveTheSameTypesFromEitherCodec(t *testing.T) {
	types := func(v []any) string { return fmt.Sprintf("%T %T %T %v", v[0], v[1], v[2], v[0]) }
	const want = `"int64 float64 map[string]interface {} 9007199254740993"`
	args := []any{9007199254740993, 1.5, map[string]any{}}
	var typed, spread workerpool.Mux
	workerpool.Register(&typed, "work", func(_ context.Context, v any) (string, error) { return types(v.([]any)), nil })
	if err := spread.Function("work", func(v ...any) string { return types(v) }); err != nil {
		t.Fatal(err)
	}
	for _, codec := range []string{deferred.TypeJSON, deferred.TypeMessagePack} {
		in, err := deferred.EncodeAs(codec, args)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range []*workerpool.Mux{&typed, &spread} {
			c, _ := perform(t, m, in)
			if got, err := c.outcome.Result.JSON(); err != nil || string(got) != want {
				t.Errorf("%s: %s, %v, failure %v", codec, got, err, c.outcome.Failure)
			}
		}
	}
}

// nested is a list so many levels deep.
func nested(levels int) (v any) {
	for range levels {
		v = []any{v}
	}
	return v
}

// nestedAs is one that a handler has encoded by itself.
func nestedAs(codec string, levels int) deferred.Content {
	if codec == deferred.TypeJSON {
		return jsonText(strings.Repeat("[", levels) + strings.Repeat("]", levels))
	}
	return deferred.Content{Type: codec, Data: []byte(strings.Repeat("\x91", levels) + "\xc0")}
}

func TestResultIsInTheCodecOfTheArguments(t *testing.T) {
	packed, err := deferred.Encode(20)
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range []deferred.Content{packed, jsonText("20"), {}} {
		c, _ := perform(t, muxOf(func(_ context.Context, n int) (int, error) { return n + 1, nil }), args)
		want := args.Type
		if want == "" {
			want = deferred.TypeJSON
		}
		if c.outcome.State != deferred.Succeeded || c.outcome.Result.Type != want {
			t.Errorf("arguments in %q: %+v", args.Type, c.outcome)
		}
	}
}

func TestCallbackIsGivenWhatItFollows(t *testing.T) {
	parent := &deferred.Parent{ID: "p", Outcome: deferred.Outcome{State: deferred.Succeeded, Result: jsonText("7")}}
	synctest.Test(t, func(t *testing.T) {
		p := start(t, &workerpool.Pool{Mux: muxOf(func(_ context.Context, n int) (int, error) { return n + 1, nil })})
		c := p.source.add("work", deferred.Content{}, func(c *fakeCall) { c.attempt.Parent = parent })
		synctest.Wait()
		if got := string(c.outcome.Result.Data); got != "8" {
			t.Errorf("result %q", got)
		}
		p.finish(t)
	})
}

func TestRevokedAttemptEndsTheHandlersContextWithTheCause(t *testing.T) {
	tests := []struct {
		name   string
		cause  error
		result func(ctx context.Context) error
		want   deferred.State
	}{
		{"cancelled", deferred.ErrCancelled, func(ctx context.Context) error { return ctx.Err() }, deferred.Cancelled},
		{"lost", deferred.ErrLost, func(ctx context.Context) error { return context.Cause(ctx) }, deferred.Pending},
		{"cancelled, says no more than that it failed", deferred.ErrCancelled, func(context.Context) error { return errTest }, deferred.Cancelled},
		{"cancelled, succeeds all the same", deferred.ErrCancelled, func(context.Context) error { return nil }, deferred.Succeeded},
		{"cancelled, fails on purpose", deferred.ErrCancelled, func(context.Context) error { return deferred.Permanent(errTest) }, deferred.Failed},
		{"cancelled, marks every error", deferred.ErrCancelled, func(ctx context.Context) error { return deferred.Permanent(ctx.Err()) }, deferred.Cancelled},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var cause error
				p := start(t, &workerpool.Pool{Slots: 1, Mux: muxOf(func(ctx context.Context, _ int) (int, error) {
					<-ctx.Done()
					cause = context.Cause(ctx)
					return 0, tt.result(ctx)
				})})
				c := p.source.add("work", jsonText("1"), func(c *fakeCall) { c.settleErr = deferred.ErrLost })
				synctest.Wait()
				c.attempt.Revoke(tt.cause)
				synctest.Wait()
				if !errors.Is(cause, tt.cause) {
					t.Errorf("cause %v", cause)
				}
				if p.source.endOf(c) != "settled" || c.outcome.State != tt.want {
					t.Errorf("%s as %s", p.source.endOf(c), c.outcome.State)
				}
				if line := p.log.line(t, "outcome not stored"); !strings.Contains(line, "level=DEBUG") {
					t.Errorf("log: %q", line)
				}
				p.finish(t)
			})
		})
	}
}

func TestAttemptRevokedBeforeItsSlotIsNeverPerformed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		performed := 0
		p := start(t, &workerpool.Pool{Slots: 1, Mux: muxOf(func(context.Context, int) (int, error) { performed++; return 0, nil })})
		c := p.source.add("work", jsonText("1"), func(c *fakeCall) { c.attempt.Revoke(deferred.ErrCancelled) })
		synctest.Wait()
		if performed != 0 || p.source.endOf(c) != "settled" || c.outcome.State != deferred.Cancelled {
			t.Errorf("performed %d times, %s as %s", performed, p.source.endOf(c), c.outcome.State)
		}
		p.finish(t)
	})
}

func TestOutcomeThatCannotBeStoredIsLogged(t *testing.T) {
	for err, level := range map[error]string{errTest: "level=ERROR", deferred.ErrLost: "level=WARN"} {
		synctest.Test(t, func(t *testing.T) {
			p := start(t, &workerpool.Pool{Mux: muxOf(sleeping(0))})
			p.source.add("work", jsonText("1"), func(c *fakeCall) { c.settleErr = err })
			synctest.Wait()
			if line := p.log.line(t, "outcome not stored"); !strings.Contains(line, level) || !strings.Contains(line, "attempt=3") {
				t.Errorf("log: %q", line)
			}
			p.finish(t)
		})
	}
}
