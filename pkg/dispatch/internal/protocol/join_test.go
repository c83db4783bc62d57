package protocol

import (
	"strings"
	"testing"

	"zasync/pkg/deferred"
)

func TestAListThatCouldNotBeReadAgainFailsTheJoin(t *testing.T) {
	packed := func(levels int) deferred.Content {
		return deferred.Content{Type: deferred.TypeMessagePack, Data: []byte(strings.Repeat("\x91", levels) + "\xc0")}
	}
	for _, c := range []struct {
		mode   deferred.JoinMode
		result deferred.Content
		want   deferred.State
	}{
		{deferred.JoinAll, packed(1500), deferred.Failed},
		{deferred.JoinAllSettled, packed(1500), deferred.Failed},
		{deferred.JoinAll, packed(1000), deferred.Failed},       // the list is a level more
		{deferred.JoinAllSettled, packed(999), deferred.Failed}, // and so is what tells each outcome
		{deferred.JoinAllSettled, packed(998), deferred.Succeeded},
		{deferred.JoinAll, deferred.JSON([]byte("{")), deferred.Failed},
		{deferred.JoinAll, deferred.JSON([]byte(strings.Repeat("[", 1000) + strings.Repeat("]", 1000))), deferred.Failed},
		{deferred.JoinAll, deferred.Content{Type: deferred.TypeBytes, Data: []byte(strings.Repeat("[", 1500))}, deferred.Succeeded},
		{deferred.JoinAll, packed(999), deferred.Succeeded},
	} {
		for _, inline := range []int{64 << 10, 0} { // the list is stored, or refers to its members
			concludes(t, c.mode, c.result, inline, c.want)
		}
	}
}

func concludes(t *testing.T, mode deferred.JoinMode, result deferred.Content, inline int, want deferred.State) {
	t.Helper()
	member := &deferred.Record{ID: "m", State: deferred.Succeeded, Result: result}
	join := &deferred.Record{ID: "j", State: deferred.Waiting, Waits: &deferred.Waits{Mode: mode, On: []deferred.ID{"m"}}}
	SettleWaiting(join, []*deferred.Record{member}, inline)
	if join.State != want {
		t.Errorf("%s of %d bytes, of which %d are copied: %s", mode, len(result.Data), inline, join.State)
	}
	if join.State == deferred.Failed && join.Failure.Kind != deferred.KindResultCodec {
		t.Errorf("%s failed with %q", mode, join.Failure.Kind)
	}
}
