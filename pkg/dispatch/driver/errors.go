package driver

import (
	"errors"
	"fmt"
)

// ErrMissing matches every [*MissingError] in errors.Is.
var ErrMissing = errors.New("dispatch: a part of the installation is missing")

// A MissingError says that a part of the installation was there and is now missing: a
// person or a program has deleted it. Nothing was stored. The queue does not make the
// part again silently, since its content is lost: a person has to decide that. Workers
// take no calls until the part is there again.
type MissingError struct {
	Stream string // the name on the server, such as "KV_ZASYNC_STATE"
	Lost   string // the lost content
	Mend   string // how to repair it
}

func (e *MissingError) Error() string {
	return fmt.Sprintf("dispatch: the stream %s is missing, and with it %s: %s", e.Stream, e.Lost, e.Mend)
}

// Is reports that the error is an ErrMissing.
func (e *MissingError) Is(target error) bool { return target == ErrMissing }

// ErrNotPermitted matches every [*PermissionError] in errors.Is.
var ErrNotPermitted = errors.New("dispatch: not permitted")

// A PermissionError says that the server refused an operation because the user has no
// right to it. Nothing was stored.
type PermissionError struct {
	Operation string // Publish or Subscribe
	Subject   string
}

// The operations that a server may refuse to a user. To read is to send a request, and so
// needs the right to publish.
const (
	Publish   = "publish"
	Subscribe = "subscribe"
)

func (e *PermissionError) Error() string {
	return fmt.Sprintf("dispatch: the server does not permit this user to %s to %q", e.Operation, e.Subject)
}

// Is reports that the error is an ErrNotPermitted.
func (e *PermissionError) Is(target error) bool { return target == ErrNotPermitted }

// Errors of the Broker and the Store. Every other error means that nothing was stored.
var (
	// ErrConflict: the entry has another revision than the write expects.
	ErrConflict = errors.New("dispatch: another revision is stored")
	// ErrUnknown: no answer came. The server may have done the operation or not.
	ErrUnknown = errors.New("dispatch: no answer; it may be stored or not")
	// ErrUnavailable: the server cannot do the operation at the moment, because it is
	// away or elects a leader. Nothing was stored, and the caller may try again.
	ErrUnavailable = errors.New("dispatch: the server cannot do it for the moment")
	// ErrClosed: the queue, or its connection, is closed for good. The queue does nothing
	// any more, and every waiting operation ends. The error gives the reason. The caller
	// has to open another queue.
	ErrClosed = errors.New("dispatch: the queue is closed")
	// ErrTooLarge: the value or message is larger than the server accepts. Every further
	// attempt fails as well.
	ErrTooLarge = errors.New("dispatch: too large for the server")
	// ErrFull: the server has no room for it now. Nothing was stored, and the caller may
	// try again once there is room.
	ErrFull = errors.New("dispatch: there is no room for it now, try again later")
	// ErrExists: another message has the id of a message that must be the only one.
	ErrExists = errors.New("dispatch: a message with this id is queued already")
)
