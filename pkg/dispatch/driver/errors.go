package driver

import (
	"errors"
	"fmt"
)

// ErrMissing is what every [*MissingError] is.
var ErrMissing = errors.New("dispatch: a part of the installation is missing")

// A MissingError says that something that an installation keeps was there and is not
// any more: somebody has deleted it. Nothing was stored. It is not made anew without
// a word, since what was in it is lost: that is for a person to decide. Workers take
// no calls until it is there again.
type MissingError struct {
	Stream string // as the server calls it, such as "KV_ZASYNC_STATE"
	Lost   string // what was in it
	Mend   string // what to do about it
}

func (e *MissingError) Error() string {
	return fmt.Sprintf("dispatch: the stream %s is missing, and with it %s: %s", e.Stream, e.Lost, e.Mend)
}

// Is makes it an ErrMissing.
func (e *MissingError) Is(target error) bool { return target == ErrMissing }

// ErrNotPermitted is what every [*PermissionError] is.
var ErrNotPermitted = errors.New("dispatch: not permitted")

// A PermissionError says that the server refused something because the user has no
// right to it. Nothing was stored.
type PermissionError struct {
	Operation string // Publish or Subscribe
	Subject   string
}

// What a user may be refused. Reading is a request, and so a publish.
const (
	Publish   = "publish"
	Subscribe = "subscribe"
)

func (e *PermissionError) Error() string {
	return fmt.Sprintf("dispatch: the server does not permit this user to %s to %q", e.Operation, e.Subject)
}

// Is makes it an ErrNotPermitted.
func (e *PermissionError) Is(target error) bool { return target == ErrNotPermitted }

// Errors of the seams. Every other error means that nothing was stored.
var (
	// ErrConflict: the entry has another revision than the write expects.
	ErrConflict = errors.New("dispatch: another revision is stored")
	// ErrUnknown: no answer came. The operation may have happened or not.
	ErrUnknown = errors.New("dispatch: no answer; it may be stored or not")
	// ErrUnavailable: the server does not do it for the moment: it is away, or elects
	// a leader. Nothing was stored, and it may be tried again.
	ErrUnavailable = errors.New("dispatch: the server cannot do it for the moment")
	// ErrClosed: the queue, or the connection under it, is closed for good. Nothing
	// is done any more; what waited ends. The error says why: open another queue.
	ErrClosed = errors.New("dispatch: the queue is closed")
	// ErrTooLarge: the value or message is larger than the server takes, and
	// will be however often it is tried.
	ErrTooLarge = errors.New("dispatch: too large for the server")
	// ErrFull: there is no room for it now. Nothing was stored, and it may be tried
	// again once there is room.
	ErrFull = errors.New("dispatch: there is no room for it now, try again later")
	// ErrExists: a message that must be the only one under its id is not.
	ErrExists = errors.New("dispatch: a message with this id is queued already")
)
