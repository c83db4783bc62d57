package dispatch

import (
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/internal/wire"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func aRecord(s deferred.State) *deferred.Record {
	return &deferred.Record{
		ID: "a", Name: "greet", State: s, Attempt: 1, Seen: true, Digest: aCall().Digest(),
		Token: deferred.Token{Worker: "other", Attempt: 1},
	}
}
func aCall() *wire.Call {
	c := &wire.Call{Submitted: noon.Add(-time.Minute)}
	c.ID, c.Name, c.Args = "a", "greet", deferred.JSON([]byte(`"world"`))
	return c
}
