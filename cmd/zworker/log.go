package main

import (
	"context"
	"io"
	"log/slog"
	"strings"

	"zasync/cmd/internal/cmdline"

	"github.com/urfave/cli/v2"
)

func logFlags(level string) []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "log-level", Usage: "log what is at least of `LEVEL` debug, info, warn or error, on stderr", Value: level, Category: "Log"},
		&cli.StringFlag{Name: "log-format", Usage: "`FORM` of the log: text or json", Value: "text", Category: "Log"},
	}
}

func readLogger(c *cli.Context, w io.Writer) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.String("log-level"))); err != nil {
		return nil, cmdline.Usagef("--log-level %q is none of debug, info, warn and error", c.String("log-level"))
	}
	opts := &slog.HandlerOptions{Level: level}
	switch strings.ToLower(c.String("log-format")) {
	case "text":
		return slog.New(slog.NewTextHandler(w, opts)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, opts)), nil
	}
	return nil, cmdline.Usagef("--log-format %q is neither text nor json", c.String("log-format"))
}

// serverLog is the log of an embedded server, whose notices are for debugging.
func serverLog(log *slog.Logger) *slog.Logger {
	return slog.New(demoted{log.Handler()})
}

// demoted takes infos for debugging.
type demoted struct{ slog.Handler }

func (d demoted) Enabled(ctx context.Context, level slog.Level) bool {
	return d.Handler.Enabled(ctx, demote(level))
}

func (d demoted) Handle(ctx context.Context, r slog.Record) error {
	r.Level = demote(r.Level)
	return d.Handler.Handle(ctx, r)
}

func (d demoted) WithAttrs(attrs []slog.Attr) slog.Handler {
	return demoted{d.Handler.WithAttrs(attrs)}
}
func (d demoted) WithGroup(name string) slog.Handler { return demoted{d.Handler.WithGroup(name)} }

func demote(level slog.Level) slog.Level {
	if level == slog.LevelInfo {
		return slog.LevelDebug
	}
	return level
}
