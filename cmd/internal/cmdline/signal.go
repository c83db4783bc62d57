package cmdline

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"
)

// Interruptible is a context that the first SIGINT or SIGTERM ends. The next one
// ends the program at once: signals have their usual effect again before the
// context ends, so that of those who see the program stop nobody is too early.
// (After a signal.NotifyContext that is stopped when it has ended, one could be.)
func Interruptible(parent context.Context) context.Context {
	ctx, cancel := context.WithCancelCause(parent)
	first := make(chan os.Signal, 1)
	signal.Notify(first, os.Interrupt, syscall.SIGTERM)
	go func() {
		s := <-first
		signal.Stop(first)
		cancel(errors.New(s.String() + " signal received"))
	}()
	return ctx
}
