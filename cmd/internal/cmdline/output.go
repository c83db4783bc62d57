package cmdline

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"syscall"
)

// An Output remembers that something could not be written: what a command has
// printed is its answer, and one that is lost is no success.
type Output struct {
	w   io.Writer
	mu  sync.Mutex
	err error
}

// Write writes, and keeps the first error.
func (o *Output) Write(b []byte) (int, error) {
	n, err := o.w.Write(b)
	if err != nil {
		o.mu.Lock()
		defer o.mu.Unlock()
		if o.err == nil {
			o.err = err
		}
	}
	return n, err
}

// NewOutput gives the output of a program, for its app's Writer and its commands.
func NewOutput(w io.Writer) *Output { return &Output{w: w} }

// Unwrap is what it writes to, which may be a terminal.
func (o *Output) Unwrap() io.Writer { return o.w }

// lost is the error of the first write that failed. A reader that went away has
// read what it wanted.
func (o *Output) lost() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err == nil || errors.Is(o.err, syscall.EPIPE) {
		return nil
	}
	return fmt.Errorf("the output could not be written: %w", o.err)
}
