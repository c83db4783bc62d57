package jetstream

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"zasync/pkg/dispatch/driver"

	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"
)

// SettingError says that a stream, or the consumer of a lane, has a setting that breaks a
// promise. Nothing was changed: a person has to decide that.
type SettingError struct {
	Stream  string // or "ZASYNC_QUEUE > default+greet" for a consumer
	Setting string // the name on the server, such as "max_age"
	Have    string
	Want    string
	Mend    string // how to repair it
}

func (e *SettingError) Error() string {
	return fmt.Sprintf("jetstream: %s has %s %s where %s is needed; %s", e.Stream, e.Setting, e.Have, e.Want, e.Mend)
}

// NamespaceError says that the streams of a namespace belong to another namespace, whose
// name differs only in case.
type NamespaceError struct {
	Have string // the existing namespace
	Want string
}

func (e *NamespaceError) Error() string {
	return fmt.Sprintf("jetstream: the namespace %q is there, and %q would have streams of the same names: use the one that is there, or a name that differs in more than its case", e.Have, e.Want)
}

// checkCase refuses a namespace that differs from an existing one only in case. The names
// of streams are in capitals, so both would share them; the subjects keep their case.
func checkCase(have, want []string) error {
	if len(have) == 0 || len(want) == 0 {
		return nil
	}
	there, _, _ := strings.Cut(have[0], ".")
	wanted, _, _ := strings.Cut(want[0], ".")
	if there != wanted && strings.EqualFold(there, wanted) {
		return &NamespaceError{Have: there, Want: wanted}
	}
	return nil
}

// LaneLimitError says that the server allows no more consumers on the stream. Each lane
// needs one consumer.
type LaneLimitError struct {
	Stream string
	Lane   driver.Lane
}

func (e *LaneLimitError) Error() string {
	return fmt.Sprintf("jetstream: no more consumers are allowed on %s, so calls of %s/%s are not fetched: "+
		"use fewer call names, or raise jetstream { limits { default_max_consumers } } in the server's configuration (and max_consumers of the stream and the account)",
		e.Stream, e.Lane.Queue, e.Lane.Name)
}

// errWrongLast: the last message of the subject is not the expected one.
var errWrongLast = errors.New("another message stands there")

// Refusals of a stream that stay at every attempt. The client library has no names for
// them.
const (
	errCodeMessageTooLarge natsjs.ErrorCode = 10054 // above the max_msg_size of the stream
	errCodeHeadersTooLarge natsjs.ErrorCode = 10097 // a server takes at most 64 KiB
)

// acknowledged reads the answer to a publish: the sequence, or the reason why there is
// none. Without an answer the message may be stored, and the error is driver.ErrUnknown.
func acknowledged(a answer) (uint64, error) {
	switch {
	case errors.Is(a.err, errLost):
		return 0, fmt.Errorf("jetstream: %w (%w)", driver.ErrUnknown, a.err)
	case errors.Is(a.err, nats.ErrMaxPayload):
		return 0, fmt.Errorf("jetstream: %w: raise its max_payload (%w)", driver.ErrTooLarge, a.err)
	case a.err != nil:
		return 0, fmt.Errorf("jetstream: nothing was stored: %w", a.err)
	}
	if seq, ok := plainAck(a.msg.Data); ok {
		return seq, nil
	}
	var ack struct {
		Seq   uint64           `json:"seq"`
		Error *natsjs.APIError `json:"error"`
	}
	if err := json.Unmarshal(a.msg.Data, &ack); err != nil || ack.Error == nil && ack.Seq == 0 {
		return 0, fmt.Errorf("jetstream: %w (the server says %q)", driver.ErrUnknown, a.msg.Data)
	}
	switch e := ack.Error; {
	case e == nil:
		return ack.Seq, nil
	case e.ErrorCode == natsjs.JSErrCodeStreamWrongLastSequence || e.ErrorCode == natsjs.JSErrCodeStreamWrongLastSequenceConstant:
		return 0, errWrongLast
	case full(e):
		return 0, fmt.Errorf("jetstream: nothing was stored: %w (%w)", driver.ErrFull, e)
	case leaderless(e):
		return 0, fmt.Errorf("jetstream: nothing was stored: %w (%w)", driver.ErrUnavailable, e)
	case e.ErrorCode == errCodeHeadersTooLarge || e.ErrorCode == errCodeMessageTooLarge:
		return 0, fmt.Errorf("jetstream: %w (%w)", driver.ErrTooLarge, e)
	default:
		return 0, fmt.Errorf("jetstream: nothing was stored: %w", e)
	}
}

// The server's codes for a publish without room. The server uses codeStoreFailed for
// every failure to store, so full reads its text too.
const (
	codeAccountFull = 10002
	codeStoreFailed = 10077
)

// leaderless reports whether the server cannot do the operation at the moment, as in an
// election.
func leaderless(e *natsjs.APIError) bool {
	return e.Code == 503 && e.ErrorCode != natsjs.JSErrCodeJetStreamNotEnabled && e.ErrorCode != natsjs.JSErrCodeJetStreamNotEnabledForAccount
}

func full(e *natsjs.APIError) bool {
	switch e.ErrorCode {
	case codeAccountFull, codeNoResources, codeNoStorage:
		return true
	case codeStoreFailed:
		return strings.Contains(e.Description, "maximum bytes exceeded") || strings.Contains(e.Description, "maximum messages exceeded") ||
			strings.Contains(e.Description, "no space left on device")
	}
	return false
}

// plainAck reads {"stream":"…","seq":123}, the form of nearly all answers.
func plainAck(data []byte) (uint64, bool) {
	rest, ok := bytes.CutPrefix(data, []byte(`{"stream":"`))
	if !ok {
		return 0, false
	}
	_, rest, _ = bytes.Cut(rest, []byte(`,"seq":`))
	digits, ok := bytes.CutSuffix(rest, []byte("}"))
	seq, err := strconv.ParseUint(string(digits), 10, 64)
	return seq, ok && err == nil
}
