package jetstream_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch"
)

// A stream that is not there is answered for by nobody, like one without a leader.
func TestSubmitAndCommandsOutlastAStreamThatNobodyAnswersFor(t *testing.T) {
	p := settle(t)
	q := dispatch.New(p.store, p.broker, dispatch.Config{Logger: p.config.Logger})
	for name, do := range map[string]func() error{
		"submit": func() error {
			_, err := deferred.SubmitOne(patiently(t), q, deferred.Call{Name: "greet"})
			return err
		},
		"resolve": func() error {
			_, token := deferred.NewPromise("early", "promise")
			return deferred.ResolvePromise(patiently(t), q, token, 1)
		},
	} {
		if err := p.js.DeleteStream(t.Context(), p.stream("QUEUE")); err != nil {
			t.Fatal(err)
		}
		asked := p.nc.Stats().OutMsgs
		done := make(chan error, 1)
		go func() { done <- do() }()
		eventually(t, "it is tried for longer than a stream takes to start", func() bool { return p.nc.Stats().OutMsgs > asked+50 })
		p.open(t)
		if err := <-done; err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestErrorOfAnEndedContextSaysThatNothingWasSent(t *testing.T) {
	p := settle(t)
	q := dispatch.New(p.store, p.broker, dispatch.Config{Logger: p.config.Logger})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := deferred.SubmitOne(ctx, q, deferred.Call{Name: "greet"})
	if !errors.Is(err, context.Canceled) || errors.Is(err, dispatch.ErrUnknown) || !strings.Contains(err.Error(), "was not sent") {
		t.Errorf("got %v", err)
	}
}

func TestErrorAfterALostAnswerSaysThatItMayBeStored(t *testing.T) {
	p := settle(t)
	mute(t, p, "QUEUE")
	q := dispatch.New(p.store, p.broker, dispatch.Config{Logger: p.config.Logger})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := deferred.SubmitOne(ctx, q, deferred.Call{Name: "greet"})
	if !errors.Is(err, dispatch.ErrUnknown) || strings.Contains(err.Error(), "nothing was stored") {
		t.Errorf("got %v", err)
	}
}

func TestListOutlastsAStreamThatNobodyAnswersFor(t *testing.T) {
	p := settle(t)
	if err := p.js.DeleteStream(t.Context(), p.stream("KV_STATE")); err != nil {
		t.Fatal(err)
	}
	asked := p.nc.Stats().OutMsgs
	done := make(chan error, 1)
	go func() {
		var last error
		for _, err := range p.store.List(patiently(t), dispatch.Query{Space: dispatch.Records}) {
			last = err
		}
		done <- last
	}()
	eventually(t, "it is tried for some time", func() bool { return p.nc.Stats().OutMsgs > asked+10 })
	p.open(t)
	if err := <-done; err != nil {
		t.Error(err)
	}
}
