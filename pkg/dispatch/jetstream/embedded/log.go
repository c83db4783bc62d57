package embedded

import (
	"fmt"
	"log/slog"
	"sync"
)

// A bridge is the server's logger. It keeps the fatal error of a start, which
// the server reports in no other way, and then goes on without what failed.
type bridge struct {
	log   *slog.Logger
	quiet bool // warnings and worse only

	mu   sync.Mutex
	died error
}

func newBridge(l *slog.Logger) *bridge {
	b := &bridge{log: l, quiet: l == nil}
	if l == nil {
		b.log = slog.Default()
	}
	b.log = b.log.With("component", "nats-server")
	return b
}

func (b *bridge) fatal() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.died
}

// anew forgets how the last server ended.
func (b *bridge) anew() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.died = nil
}

func (b *bridge) Noticef(format string, v ...any) {
	if !b.quiet {
		b.log.Info(fmt.Sprintf(format, v...))
	}
}

func (b *bridge) Warnf(format string, v ...any)  { b.log.Warn(fmt.Sprintf(format, v...)) }
func (b *bridge) Errorf(format string, v ...any) { b.log.Error(fmt.Sprintf(format, v...)) }

// Fatalf only keeps the error: Start returns it, and its caller logs it.
func (b *bridge) Fatalf(format string, v ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.died == nil {
		b.died = fmt.Errorf(format, v...)
	}
}

// The server does not call these two, since both levels are off.

func (b *bridge) Debugf(string, ...any) {}
func (b *bridge) Tracef(string, ...any) {}
