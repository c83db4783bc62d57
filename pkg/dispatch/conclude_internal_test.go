package dispatch

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
		{deferred.JoinAll, packed(1000), deferred.Failed}, // the list is a level more
		{deferred.JoinAll, deferred.JSON([]byte("{")), deferred.Failed},
		{deferred.JoinAll, packed(999), deferred.Succeeded},
	} {
		member := &deferred.Record{ID: "m", State: deferred.Succeeded, Result: c.result}
		join := &deferred.Record{ID: "j", State: deferred.Waiting, Waits: &deferred.Waits{Mode: c.mode, On: []deferred.ID{"m"}}}
		(&holding{members: []*deferred.Record{member}}).conclusion(join, 64<<10)
		if join.State != c.want {
			t.Errorf("%s of %d bytes: %s", c.mode, len(c.result.Data), join.State)
		}
		if join.State == deferred.Failed && join.Failure.Kind != deferred.KindResultCodec {
			t.Errorf("%s failed with %q", c.mode, join.Failure.Kind)
		}
	}
}
