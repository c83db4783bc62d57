package dispatch

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
