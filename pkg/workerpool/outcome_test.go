package workerpool_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/workerpool"
)

func TestAttemptThatRunsTooLongFailsWithTheKindTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(t, &workerpool.Pool{Slots: 1, Mux: muxOf(func(ctx context.Context, _ int) (int, error) {
			<-ctx.Done()
			return 0, context.Cause(ctx)
		})})
		c := p.source.add("work", jsonText("1"), func(c *fakeCall) { c.attempt.Timeout = time.Minute })
		pass(time.Minute)
		if o := c.outcome; o.State != deferred.Failed || !errors.Is(o.Failure, deferred.ErrTimeout) || o.Retry.Never {
			t.Errorf("outcome %+v, failure %+v", o, o.Failure)
		}
		p.finish(t)
	})
}

func TestHandlerThatGivesAnotherDeferredAdoptsIt(t *testing.T) {
	inner := deferred.Open(nil, "inner")
	muxes := map[string]func(*workerpool.Mux){
		"typed": func(m *workerpool.Mux) {
			workerpool.RegisterDeferred(m, work, func(context.Context, int) (*deferred.Deferred, error) { return inner, nil })
		},
		"reflected": func(m *workerpool.Mux) {
			if err := m.Function("work", func(int) (*deferred.Deferred, error) { return inner, nil }); err != nil {
				t.Fatal(err)
			}
		},
		"by its error": func(m *workerpool.Mux) {
			workerpool.Register(m, work, func(context.Context, int) (int, error) { return 0, deferred.Adopt(inner) })
		},
	}
	for name, register := range muxes {
		t.Run(name, func(t *testing.T) {
			var m workerpool.Mux
			register(&m)
			c, log := perform(t, &m, jsonText("1"))
			if c.outcome.State != deferred.Waiting || c.outcome.Adopt != "inner" {
				t.Errorf("outcome %+v", c.outcome)
			}
			if !strings.Contains(log, "call adopts another") {
				t.Errorf("log: %s", log)
			}
		})
	}
}
