package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"zasync/cmd/internal/cmdline"
	"zasync/cmd/internal/connect"

	"github.com/urfave/cli/v2"
)

// base is what every command has.
type base struct {
	streams
	connect connect.Options
	form    form
}

// A form is how results are printed. The empty one is the command's own.
type form string

const (
	asTable form = "table"
	asJSON  form = "json"
	asLines form = "jsonl"
	asIDs   form = "id"
	quiet   form = "nothing" // not for users
)

func (s streams) print(line string) { _, _ = fmt.Fprintln(s.out, line) }

// notef tells something beside the results.
func (s streams) notef(format string, args ...any) {
	_, _ = fmt.Fprintf(s.err, "zsubmit: "+format+"\n", args...)
}

// flags puts a command's own flags before those of all commands.
func flags(own ...cli.Flag) []cli.Flag {
	return append(own, connect.Flags()...)
}

func formFlag(usage string) cli.Flag {
	return &cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: usage}
}

// readBase reads the flags of all commands.
func readBase(c *cli.Context, s streams, forms ...form) (base, error) {
	b := base{streams: s, form: form(c.String("output"))}
	if b.form != "" && !slices.Contains(forms, b.form) {
		return b, cmdline.Usagef("%s -o cannot be %q but one of %s", c.Command.Name, string(b.form), listed(forms))
	}
	var err error
	b.connect, err = connect.FromFlags(c)
	return b, err
}

func listed[S ~string](words []S) string {
	texts := make([]string, len(words))
	for i, w := range words {
		texts[i] = string(w)
	}
	return strings.Join(texts, ", ")
}

// open connects. Whatever goes wrong comes back as an error, so nothing is logged.
func (b *base) open(ctx context.Context) (*connect.Session, error) {
	return b.connect.Open(ctx, "zsubmit", slog.New(slog.DiscardHandler), connect.Staying(listener{b.streams, b.connect.Place()})...)
}

// listener tells whoever waits what becomes of the connection.
type listener struct {
	streams
	place string
}

func (l listener) Away(since time.Duration, err error) {
	lasting := ""
	if since > 0 {
		lasting = " for " + since.Round(time.Second).String()
	}
	l.notef("no connection to %s%s (%s); trying again", l.place, lasting, cmdline.Message(err))
}

func (l listener) Back(after time.Duration) {
	l.notef("connected to %s again, after %s", l.place, after.Round(time.Second/10))
}

const patience = 30 * time.Second

var errNoAnswer = errors.New("the server did not answer within 30 seconds")

// patiently limits what is not meant to take long.
func patiently(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, patience, errNoAnswer)
}
