package dispatch

import (
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/internal/records"
)

// What a server cannot or will not do, as a program meets it.
var (
	// ErrUnavailable: the server cannot do it for the moment. Nothing was stored.
	ErrUnavailable = driver.ErrUnavailable
	// ErrUnknown: there was no answer. It may be stored or not.
	ErrUnknown = driver.ErrUnknown
	// ErrClosed: the queue or its connection is closed.
	ErrClosed = driver.ErrClosed
	// ErrFull: the queue has no room now. Try again later.
	ErrFull = driver.ErrFull
	// ErrUnreadable: what is stored there is not what this version writes. It comes in
	// the place of one deferred or annotation of a list; the others follow.
	ErrUnreadable = records.ErrUnreadable
	// ErrMissing is what every [*MissingError] is.
	ErrMissing = driver.ErrMissing
	// ErrNotPermitted is what every [*PermissionError] is.
	ErrNotPermitted = driver.ErrNotPermitted
)

type (
	// A MissingError names a stream that was there and was deleted.
	MissingError = driver.MissingError
	// A PermissionError names a subject to which the user has no right.
	PermissionError = driver.PermissionError
)

// What a [PermissionError] may be about. Reading is a request, and so a publish.
const (
	Publish   = driver.Publish
	Subscribe = driver.Subscribe
)
