package protocol

import (
	"fmt"
	"strings"
	"testing"

	"zasync/pkg/deferred"
)

// A record takes others in only while there is room for its outcome and for a mark at
// each of them.
func TestRecordThatIsFullTakesItsOutcomeStill(t *testing.T) {
	long := strings.Repeat("x", 58)
	var members []deferred.ID
	for i := range 7800 {
		members = append(members, deferred.ID(fmt.Sprintf("%s%06d", long, i)))
	}
	for name, r := range map[string]deferred.Record{
		"a call": {ID: "r", State: deferred.Running, Seen: true},
		"a join": {ID: "r", State: deferred.Waiting, Seen: true, Waits: &deferred.Waits{Mode: deferred.JoinAll, On: members}},
		"a stub": {ID: "r", State: deferred.Pending},
	} {
		t.Run(name, func(t *testing.T) {
			for HasRoom(&r) {
				r.Callbacks = append(r.Callbacks, deferred.RecordedCallback{
					ID: deferred.ID(fmt.Sprintf("%s%06d", long, len(r.Callbacks))), On: deferred.OnSuccess, Waiter: true,
				})
			}
			if n := len(r.Callbacks); n < 2000 {
				t.Errorf("%d find room only", n)
			}
			for i := range r.Callbacks {
				r.Callbacks[i].Fired, r.Callbacks[i].Settled = true, true
			}
			if r.Waits == nil {
				r.Result = deferred.Content{Type: deferred.TypeBytes, Data: make([]byte, deferred.MaxResultSize)}
			}
			r.State, r.Failure = deferred.Failed, &deferred.Failure{Kind: "k", Message: "m", Stack: strings.Repeat("s", deferred.MaxStackSize)}
			data, err := r.AppendJSON(nil)
			if err != nil || len(data) > MaxRecord {
				t.Errorf("with its outcome it has %d bytes (%v)", len(data), err)
			}
		})
	}
}
