package embedded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

const (
	lookEvery = 5 * time.Second
	lookLimit = 5 * time.Minute // the longest pause between two attempts to mend
	roomToTry = 4 << 20         // bytes that can be written before it is worth another start
)

// watch looks after the server until Stop, which may be long after the start.
func (s *Server) watch(start context.Context) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(start))
	done := make(chan struct{})
	s.unwatch = func() { cancel(); <-done }
	go func() {
		defer close(done)
		for wait := lookEvery; ; {
			select {
			case <-ctx.Done():
				return
			case <-time.After(wait):
			}
			if s.look() {
				wait = min(2*wait, lookLimit) // what does not help once may never
			} else {
				wait = lookEvery
			}
		}
	}()
}

// look starts the server anew if it has stopped to write and its store could
// take something again. It reports whether it tried to.
func (s *Server) look() (tried bool) {
	err := broken(s.current())
	if err == nil {
		return false
	}
	if full := writable(s.opts.StoreDir); full != nil {
		s.log.log.Error("the store cannot be written, so nothing is accepted and nothing goes on until it can; what was accepted is kept", "store", s.opts.StoreDir, "err", full)
		return false
	}
	s.log.log.Warn("the server refuses to write; it starts again, since its store can be written", "store", s.opts.StoreDir, "err", err)
	s.end()
	s.log.anew()
	if err := s.begin(); err != nil {
		s.log.log.Error("the server does not start; it is tried again", "store", s.opts.StoreDir, "err", err)
		return true
	}
	s.log.log.Info("the server works again", "store", s.opts.StoreDir)
	return true
}

// broken is why the server writes no longer: it turns a stream, or JetStream as a
// whole, off for good when the disk does not take something.
func broken(n *server.Server) error {
	if !n.JetStreamEnabled() {
		return errors.New("JetStream was turned off")
	}
	for _, e := range n.Healthz(&server.HealthzOptions{Details: true}).Errors {
		if strings.Contains(e.Error, "write error") {
			return errors.New(e.Error)
		}
	}
	return nil
}

// writable tries to write to a directory.
func writable(dir string) error {
	f, err := os.CreateTemp(dir, "room-")
	if err != nil {
		return fmt.Errorf("embedded: %w", err)
	}
	defer func() { _ = os.Remove(f.Name()) }()
	_, err = f.Write(make([]byte, roomToTry))
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("embedded: %w", err)
	}
	return nil
}
