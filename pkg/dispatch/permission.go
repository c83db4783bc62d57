package dispatch

import (
	"errors"
	"fmt"
)

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
