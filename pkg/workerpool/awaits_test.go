package workerpool_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/workerpool"
)

// The arguments say for how many seconds the handler waits for another deferred; if
// negative, how long it works.
func awaiting(ctx context.Context, n int) (int, error) {
	if n > 0 {
		defer deferred.Awaiting(ctx, "inner")()
	}
	time.Sleep(max(time.Duration(n), -time.Duration(n)) * time.Second)
	return n, nil
}

const deadlock = "every slot has a handler that waits"

func TestPoolWarnsOnceWhenAllItsSlotsWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(t, &workerpool.Pool{Slots: 2, Mux: muxOf(awaiting)})
		p.source.add("work", jsonText("60"))
		pass(time.Second)
		if line := p.log.line(t, deadlock); line != "" {
			t.Errorf("with a slot that is free: %q", line)
		}
		for range 4 { // two at once, and then again
			p.source.add("work", jsonText("60"))
		}
		pass(time.Second)
		if line := p.log.line(t, deadlock); !strings.Contains(line, "level=WARN") || !strings.Contains(line, "deferred.Adopt") || !strings.Contains(line, "awaits=inner") {
			t.Errorf("log: %q", line)
		}
		pass(time.Hour)
		_ = p.log.line(t, deadlock) // there is no second one
		p.finish(t)
	})
}

func TestPoolDoesNotWarnWhileAHandlerWorks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(t, &workerpool.Pool{Slots: 2, Mux: muxOf(awaiting)})
		for _, args := range []string{"-60", "10", "10", "-60", "10"} { // those that waited and have worked since count as little
			p.source.add("work", jsonText(args))
			synctest.Wait()
		}
		pass(time.Hour)
		if line := p.log.line(t, deadlock); line != "" {
			t.Errorf("log: %q", line)
		}
		p.finish(t)
	})
}

func TestHungHandlerCountsAmongTheSlotsThatWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(t, &workerpool.Pool{Slots: 2, Mux: muxOf(awaiting)})
		p.source.add("work", jsonText("-3600"), timeout(time.Second))
		pass(5 * time.Second)
		p.source.add("work", jsonText("60"))
		synctest.Wait()
		if line := p.log.line(t, deadlock); !strings.Contains(line, "id=2") {
			t.Errorf("log: %q", line)
		}
		pass(2 * time.Hour)
		p.finish(t)
	})
}
