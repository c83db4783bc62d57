package jetstream_test

import (
	"context"
	"log/slog"
	"testing"
	"time"
)

// log keeps the errors that are logged.
type log struct{ errs chan error }

func newLog() *log { return &log{make(chan error, 100)} }

func (l *log) logger() *slog.Logger { return slog.New(l) }

// wait gives the first error.
func (l *log) wait(t *testing.T) error {
	t.Helper()
	select {
	case err := <-l.errs:
		return err
	case <-time.After(patience):
		t.Fatal("nothing was logged")
		return nil
	}
}

func (l *log) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelWarn }
func (l *log) WithAttrs([]slog.Attr) slog.Handler               { return l }
func (l *log) WithGroup(string) slog.Handler                    { return l }

func (l *log) Handle(_ context.Context, r slog.Record) error {
	r.Attrs(func(a slog.Attr) bool {
		if err, ok := a.Value.Any().(error); ok {
			select {
			case l.errs <- err:
			default:
			}
		}
		return true
	})
	return nil
}
