package wire

import (
	"encoding/json"
	"fmt"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
)

// The verbs that only workers send, beside those of deferred.Command.
const (
	VerbWake   deferred.Verb = "wake"   // look at this record again
	VerbExpire deferred.Verb = "expire" // the deadline of a running call has passed
)

// CommandMessage encodes a command of a caller.
func CommandMessage(c deferred.Command) (driver.Message, error) {
	body, err := json.Marshal(c)
	if err != nil {
		return driver.Message{}, fmt.Errorf("dispatch: command: %w", err)
	}
	return driver.Message{Route: driver.Commands, Verb: string(c.Verb), ID: c.ID, Body: body}, nil
}

// DecodeBody reads the body of a command. A body that is no such JSON is taken whole as
// the reason.
func DecodeBody(body []byte, c *deferred.Command) error {
	if len(body) == 0 {
		return nil
	}
	err := json.Unmarshal(body, c)
	if err != nil {
		*c = deferred.Command{Reason: string(body)}
	}
	return err
}

// A Wake says "look at this record again": a deferred that it waits for has settled. It
// may come twice, late, or from any client, so the worker evaluates the record each time.
//
// The sender stored its record first. So a wake proves a least revision: of the
// sender's record, or of its own record if From is empty.
type Wake struct {
	From     deferred.ID `json:"from,omitempty"`     // a hint: the deferred that has settled
	Revision uint64      `json:"revision,omitempty"` // 0: not known
}

// WakeMessage is the message of a wake.
func WakeMessage(id, from deferred.ID, revision uint64) driver.Message {
	body, _ := json.Marshal(Wake{From: from, Revision: revision}) // a string and a number
	return driver.Message{Route: driver.Commands, Verb: string(VerbWake), ID: id, Body: body}
}

// ExpireMessage settles a running call as expired. The revision is the least one of its
// record.
func ExpireMessage(id deferred.ID, revision uint64) driver.Message {
	body, _ := json.Marshal(Wake{Revision: revision}) // a number
	return driver.Message{Route: driver.Commands, Verb: string(VerbExpire), ID: id, Body: body}
}
