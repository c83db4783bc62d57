package dispatch

import (
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/internal/records"
)

// Errors of a server that cannot or will not do something, as a program sees them.
var (
	// ErrUnavailable: the server cannot do it for the moment. Nothing was stored.
	ErrUnavailable = driver.ErrUnavailable
	// ErrUnknown: no answer came. The operation may have happened or not.
	ErrUnknown = driver.ErrUnknown
	// ErrClosed: the queue or its connection is closed.
	ErrClosed = driver.ErrClosed
	// ErrFull: the queue has no room now. Try again later.
	ErrFull = driver.ErrFull
	// ErrUnreadable: the stored value is not one that this version writes. In a list
	// the error takes the place of one deferred or annotation; the others follow.
	ErrUnreadable = records.ErrUnreadable
	// ErrMissing is what every [*MissingError] is.
	ErrMissing = driver.ErrMissing
	// ErrNotPermitted is what every [*PermissionError] is.
	ErrNotPermitted = driver.ErrNotPermitted
)

type (
	// A MissingError names a stream that existed and was deleted.
	MissingError = driver.MissingError
	// A PermissionError names a subject to which the user has no right.
	PermissionError = driver.PermissionError
)

// The operations of a [PermissionError]. A read is a request, and so a publish.
const (
	Publish   = driver.Publish
	Subscribe = driver.Subscribe
)
