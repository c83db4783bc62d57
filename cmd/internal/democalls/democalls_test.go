package democalls

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"zasync/pkg/deferred"

	"github.com/google/go-cmp/cmp"
)

func TestSumOfIntegersIsAnInteger(t *testing.T) {
	for text, want := range map[string]any{
		`[]`:                             int64(0),
		`[1,2,3]`:                        int64(6),
		`[5,-7]`:                         int64(-2),
		`[1,0.5]`:                        1.5,
		`[9007199254740993, 0]`:          int64(9007199254740993),
		`[9223372036854775807,1]`:        9223372036854775808.0,
		`[-9223372036854775808,-1]`:      -9223372036854775809.0,
		`[18446744073709551615]`:         18446744073709551615.0,
		`[1e2]`:                          100.0,
		`[9223372036854775807,-1,1,0,0]`: int64(9223372036854775807),
	} {
		got, err := add(t.Context(), deferred.JSON([]byte(text)))
		if err != nil || got != want {
			t.Errorf("%s: got %v (%T), %v; want %v (%T)", text, got, got, err, want, want)
		}
	}
}

func TestSumTakesMessagePack(t *testing.T) {
	in, err := deferred.Encode([]int{1, 2, 3})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := add(t.Context(), in); err != nil || got != int64(6) {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestWhatIsNoListOfNumbersFailsForGood(t *testing.T) {
	for _, text := range []string{`5`, `"a"`, `["1"]`, `[1,null]`, `[[1]]`, `[1e999]`, `{}`} {
		_, err := add(t.Context(), deferred.JSON([]byte(text)))
		if err == nil {
			t.Errorf("%s was added", text)
			continue
		}
		if o := deferred.OutcomeOf(err); !o.Retry.Never || o.Failure.Kind != deferred.KindBadArguments {
			t.Errorf("%s: %+v", text, o)
		}
	}
}

func TestMistypedFieldFailsForGood(t *testing.T) {
	packed, err := deferred.Encode(map[string]int{"tims": 9})
	if err != nil {
		t.Fatal(err)
	}
	for _, in := range []deferred.Content{deferred.JSON([]byte(`{"tims":9}`)), packed} {
		_, err := strictly(fail)(deferred.WithAttempt(t.Context(), &deferred.Attempt{}), in)
		if err == nil {
			t.Fatal("it was not refused")
		}
		o := deferred.OutcomeOf(err)
		if !o.Retry.Never || o.Failure.Kind != deferred.KindBadArguments || o.Failure.Message != `unknown field "tims"` {
			t.Errorf("%+v", o)
		}
	}
	if _, err := strictly(fail)(deferred.WithAttempt(t.Context(), &deferred.Attempt{}), deferred.Content{}); err != nil {
		t.Errorf("without arguments: %v", err)
	}
}

func TestFailCountsFailuresAndNotAttempts(t *testing.T) {
	for failures, want := range []string{"", "", "succeeded after 2 failures"} {
		ctx := deferred.WithAttempt(t.Context(), &deferred.Attempt{Number: 7, Failures: failures})
		got, err := fail(ctx, FailArgs{Times: 2})
		if got != want || (err == nil) != (want != "") {
			t.Errorf("after %d failures: %q, %v", failures, got, err)
		}
	}
}

func TestSleepReportsProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := deferred.Go(t.Context(), func(ctx context.Context) (string, error) { return sleep(ctx, SleepArgs{For: "1050ms"}) })
		o, err := d.Await(t.Context())
		if err != nil || o.State != deferred.Succeeded {
			t.Fatal(o, err)
		}
		for n, err := range d.Annotations(t.Context()) {
			if diff := cmp.Diff(`{"done":1,"total":1.05,"message":"sleeping for 1.05s"}`, string(n.Value)); err != nil || diff != "" {
				t.Error(err, diff)
			}
			return
		}
		t.Error("no progress was reported")
	})
}

func TestSleepEndsWhenItIsCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(deferred.ErrCancelled) })
		start := time.Now()
		_, err := sleep(ctx, SleepArgs{For: "1h"})
		if !errors.Is(err, deferred.ErrCancelled) || time.Since(start) != time.Second {
			t.Errorf("%v after %s", err, time.Since(start))
		}
	})
}

func TestSleepRefusesWhatIsNoDuration(t *testing.T) {
	for _, text := range []string{"", "soon", "-1s", "25h"} {
		_, err := sleep(t.Context(), SleepArgs{For: text})
		if err == nil || !deferred.OutcomeOf(err).Retry.Never {
			t.Errorf("%q: %v", text, err)
		}
	}
}
