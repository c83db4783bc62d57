package main

import (
	"errors"
	"fmt"

	"zasync/cmd/internal/cmdline"
	"zasync/pkg/dispatch"
)

// maxNamed is how many entries that cannot be read are named one by one.
const maxNamed = 20

// unreadable counts what cannot be read: all else is shown, and the exit code is that of an
// error.
type unreadable struct {
	streams
	n int
}

// named names what cannot be read. Any other error comes back.
func (u *unreadable) named(err error) error {
	if !errors.Is(err, dispatch.ErrUnreadable) {
		return err
	}
	if u.n++; u.n <= maxNamed {
		u.notef("not shown: %s", cmdline.Message(err))
	}
	return nil
}

// err is the error of what could not be read, if there was any.
func (u *unreadable) err() error {
	if u.n == 0 {
		return nil
	}
	return fmt.Errorf("%d cannot be read; use a newer zsubmit if a newer zasync has stored it, else delete it with \"nats kv del\"", u.n)
}
