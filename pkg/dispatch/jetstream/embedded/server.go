package embedded

import (
	"context"
	"fmt"
	"net"
	"os"
	"sync"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	_ "time/tzdata" // schedules name time zones, also on machines that know none
)

// A Server is a running NATS server. Whoever started it stops it.
type Server struct {
	mu   sync.Mutex
	nats *server.Server  // nil if the start failed before there was one
	opts *server.Options // of it, and of those that come after it on the store
	log  *bridge
	auth nats.Option // nil if the server lets everybody in
	undo []func()    // gives back what the start has taken; the last first
	stop sync.Once

	unwatch func() // ends the watch, and returns when it has; nil before it began
}

// Start runs a server and returns when it is ready. It fails with a
// [*LockedError], [*PortTakenError] or [*ExposedError] when that is what is in
// the way. The context is for the start alone; reading the store cannot be
// interrupted, so one that ends meanwhile undoes the start.
func Start(ctx context.Context, c Config) (*Server, error) {
	opts, err := c.options()
	if err != nil {
		return nil, err
	}
	s := &Server{auth: c.auth(), opts: opts, log: newBridge(c.Logger)}
	if err := s.start(ctx, c, opts); err != nil {
		s.Stop()
		return nil, err
	}
	return s, nil
}

func (s *Server) start(ctx context.Context, c Config, opts *server.Options) (err error) {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("embedded: start: %w", err)
	}
	if opts.StoreDir, err = s.openStore(c.Store); err != nil {
		return err
	}
	if !opts.DontListen {
		if err := checkPort(ctx, c.Listen); err != nil {
			return err
		}
	}
	// Before the server starts, since it sizes its memory streams by the limit.
	s.undo = append(s.undo, limitMemory(c.MemoryLimit))
	if err := s.begin(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("embedded: start: %w", err)
	}
	s.watch(ctx)
	return nil
}

// begin runs a server on the store.
func (s *Server) begin() error {
	opts := *s.opts // the server writes into them
	n, err := server.NewServer(&opts)
	if err != nil {
		return fmt.Errorf("embedded: start: %w", err)
	}
	s.mu.Lock()
	s.nats = n
	s.mu.Unlock()
	n.SetLogger(s.log, false, false)
	n.Start() // returns when the server accepts connections, or has failed
	if err := s.log.fatal(); err != nil {
		return fmt.Errorf("embedded: start: %w", err)
	}
	if addr, ok := n.Addr().(*net.TCPAddr); ok {
		s.opts.Port = addr.Port // also when any free one was asked for
	}
	return nil
}

func (s *Server) current() *server.Server {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.nats
}

// end shuts the server down, and returns when it is.
func (s *Server) end() {
	if n := s.current(); n != nil {
		// Not LameDuckShutdown, which does nothing without a listener.
		n.Shutdown()
		n.WaitForShutdown()
	}
}

// openStore makes the directory and locks it.
func (s *Server) openStore(dir string) (string, error) {
	if dir == "" {
		tmp, err := os.MkdirTemp("", "zasync-")
		if err != nil {
			return "", fmt.Errorf("embedded: temporary store: %w", err)
		}
		// What cannot be removed from a directory for temporary files stays there.
		s.undo = append(s.undo, func() { _ = os.RemoveAll(tmp) })
		dir = tmp
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return "", fmt.Errorf("embedded: store: %w", err)
	}
	unlock, err := lock(dir)
	if err != nil {
		return "", err
	}
	s.undo = append(s.undo, unlock)
	return dir, nil
}

// Connect gives a connection within the process, with the server's credentials.
// The caller closes it, before the server stops.
func (s *Server) Connect(opts ...nats.Option) (*nats.Conn, error) {
	own := []nats.Option{nats.InProcessServer(s)}
	if s.auth != nil {
		own = append(own, s.auth)
	}
	nc, err := nats.Connect("", append(own, opts...)...)
	if err != nil {
		return nil, fmt.Errorf("embedded: connect: %w", err)
	}
	return nc, nil
}

// InProcessConn is for [nats.InProcessServer]: a connection to the server that runs now.
func (s *Server) InProcessConn() (net.Conn, error) { return s.current().InProcessConn() }

// URL is where other processes reach the server, "" if they do not.
func (s *Server) URL() string {
	n := s.current()
	if n.Addr() == nil {
		return ""
	}
	return n.ClientURL()
}

// Stop shuts the server down and returns when all it held is free again: the
// port, the store and its lock. Stopping again waits for the same.
func (s *Server) Stop() {
	s.stop.Do(func() {
		if s.unwatch != nil {
			s.unwatch()
		}
		s.end()
		for i := len(s.undo) - 1; i >= 0; i-- {
			s.undo[i]()
		}
	})
}
