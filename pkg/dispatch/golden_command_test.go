package dispatch

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/internal/protocol"
	"zasync/pkg/dispatch/internal/wire"
)

const goldenToken = deferred.PromiseToken("p." + goldenSecret)

// goldenSeq is the place in the stream of each message in the files.
const goldenSeq = 1795442839409062

// goldenCommands says what the commands in the files mean: to be read so for
// ever, and to be carried out so on a record. Of those that are marked, it is
// also what is written today.
var goldenCommands = map[string]struct {
	written bool
	command deferred.Command
	record  *deferred.Record
	do      protocol.Action
}{
	"command-cancel":       {true, deferred.Command{Verb: deferred.Cancel, ID: "a", Reason: "no longer needed"}, aRecord(deferred.Running), protocol.Cancel},
	"command-cancel-by":    {true, deferred.Command{Verb: deferred.Cancel, ID: "a", Reason: "no longer needed", By: "alice"}, nil, protocol.Cancel},
	"command-cancel-text":  {false, deferred.Command{Verb: deferred.Cancel, ID: "a", Reason: "no longer needed"}, aRecord(deferred.Held), protocol.Cancel},
	"command-cancel-empty": {false, deferred.Command{Verb: deferred.Cancel, ID: "a"}, nil, protocol.Cancel},
	"command-hold":         {true, deferred.Command{Verb: deferred.Hold, ID: "a", Reason: "not yet"}, aRecord(deferred.Scheduled), protocol.Hold},
	"command-release":      {true, deferred.Command{Verb: deferred.Release, ID: "a"}, aRecord(deferred.Held), protocol.Release},
	"command-handle":       {true, deferred.Command{Verb: deferred.Handle, ID: "p"}, aRecord(deferred.Failed), protocol.MarkHandled},
	"command-add":          {true, deferred.Command{Verb: deferred.Add, ID: "j", Members: []deferred.ID{"b", "c"}}, waitingJoin(), protocol.Add},
	"command-resolve": {true, deferred.Command{
		Verb: deferred.Resolve, ID: "p", Token: goldenToken, Result: deferred.JSON([]byte(`{"approved":true}`)), By: "alice",
	}, waitingPromise(), protocol.Resolve},
	"command-resolve-bytes": {true, deferred.Command{
		Verb: deferred.Resolve, ID: "p", Token: goldenToken, Result: content("image/png", "\x89PNG"),
	}, waitingPromise(), protocol.Resolve},
	"command-resolve-nothing": {true, deferred.Command{Verb: deferred.Resolve, ID: "p", Token: goldenToken}, waitingPromise(), protocol.Resolve},
	"command-resolve-wrong":   {false, deferred.Command{Verb: deferred.Resolve, ID: "p", Token: "p.wrong", Result: deferred.JSON([]byte(`1`))}, waitingPromise(), protocol.SetAside},
	"command-reject": {true, deferred.Command{
		Verb: deferred.Reject, ID: "p", Token: goldenToken, Failure: &deferred.Failure{Kind: "refused", Message: "too dear"}, By: "bob",
	}, waitingPromise(), protocol.Resolve},
	"command-reject-bare": {false, deferred.Command{
		Verb: deferred.Reject, ID: "p", Token: goldenToken, Failure: &deferred.Failure{Kind: deferred.KindRejected, Message: "too dear"},
	}, waitingPromise(), protocol.Resolve},
}

func waitingPromise() *deferred.Record {
	r := aRecord(deferred.Waiting)
	r.ID, r.Promise = "p", goldenDigest
	return r
}

func waitingJoin() *deferred.Record {
	r := aRecord(deferred.Waiting)
	r.ID, r.Waits = "j", &deferred.Waits{Mode: deferred.JoinAll, On: []deferred.ID{"a", "p"}}
	return r
}

// holdingOf reads a file as a worker reads the message.
func holdingOf(t *testing.T, name string) *holding {
	t.Helper()
	g := readGolden(t, name)
	h := &holding{delivery: g.delivery(), command: &deferred.Command{}}
	if err := h.readCommand(); err != nil {
		t.Fatal(err)
	}
	return h
}

func TestCommandsAreReadAndObeyedAsReleased(t *testing.T) {
	for name, want := range goldenCommands {
		t.Run(name, func(t *testing.T) {
			got := holdingOf(t, name).command
			want.command.Seq = goldenSeq
			if diff := cmp.Diff(&want.command, got, cmp.AllowUnexported(deferred.Content{}, deferred.Join{})); diff != "" {
				t.Errorf("the message means something else now (-want +got):\n%s", diff)
			}
			if d := protocol.Decide(protocol.Facts{Record: want.record, Command: got, Now: noon}); d.Action != want.do {
				t.Errorf("it would be answered with %q now, want %q", d.Action, want.do)
			}
		})
	}
}

func TestCommandsAreWrittenAsReleased(t *testing.T) {
	for name, c := range goldenCommands {
		if !c.written {
			continue
		}
		m, err := wire.CommandMessage(c.command)
		if err != nil {
			t.Fatal(err)
		}
		compareGolden(t, name, m)
	}
}

// What workers put for one another.
func TestWakesAreWrittenAndReadAsReleased(t *testing.T) {
	compareGolden(t, "wake", wire.WakeMessage("j", "a", 0)) // from a worker that does not know the revision of its record
	compareGolden(t, "wake-revision", wire.WakeMessage("j", "a", goldenSeq))
	compareGolden(t, "alarm-moved", wire.WakeMessage("j", "", 0))
	for name, want := range map[string]wire.Wake{"wake": {From: "a"}, "wake-revision": {From: "a", Revision: goldenSeq}, "alarm-moved": {}} {
		h := holdingOf(t, name)
		if h.from != want.From || h.sent != want.Revision || h.proven != 0 || h.command.ID != "j" {
			t.Errorf("%s is from %q at %d for %q now", name, h.from, h.sent, h.command.ID)
		}
		if d := protocol.Decide(protocol.Facts{Record: waitingJoin(), Command: h.command, Now: noon}); d.Action != protocol.Evaluate {
			t.Errorf("%s would be answered with %q now", name, d.Action)
		}
	}
}

func TestExpiriesAreWrittenAndReadAsReleased(t *testing.T) {
	compareGolden(t, "expire-revision", wire.ExpireMessage("a", goldenSeq))
	overdue := aRecord(deferred.Running)
	overdue.Deadline = noon
	for name, proven := range map[string]uint64{"expire": 0, "expire-revision": goldenSeq} {
		h := holdingOf(t, name)
		if h.proven != proven {
			t.Errorf("%s proves revision %d now", name, h.proven)
		}
		if d := protocol.Decide(protocol.Facts{Record: overdue, Command: h.command, Now: noon}); d.Action != protocol.Expire {
			t.Errorf("%s would be answered with %q now", name, d.Action)
		}
	}
}

func TestAlarmsAreWrittenAndMovedAsReleased(t *testing.T) {
	join := waitingJoin()
	join.Name, join.Queue = "all", "default"
	compareGolden(t, "alarm", wire.Alarm(join, noon.Add(time.Minute)))
	compareGolden(t, "alarm-moved", moved(t, "alarm"))
}
