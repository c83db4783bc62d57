package main

import (
	"context"
	"fmt"
	"io"

	"zasync/cmd/internal/cmdline"
	"zasync/cmd/internal/democalls"

	"github.com/urfave/cli/v2"
)

// streams are what a command prints to: what was asked for to out, the log and
// everything else to err.
type streams struct{ out, err io.Writer }

func (s streams) printf(format string, args ...any) { _, _ = fmt.Fprintf(s.out, format, args...) }

// run is the program without its process. It returns the exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	s := streams{out: cmdline.NewOutput(stdout), err: stderr}
	return cmdline.Run(ctx, &cli.App{
		Name:      "zworker",
		Usage:     "perform calls",
		UsageText: "zworker COMMAND [FLAGS] [ARGUMENTS]",
		Description: "New here?  zworker demo\n\nWhat a worker performs (submit with zsubmit, or with any NATS client):\n\n" +
			democalls.Help,
		Reader: stdin, Writer: s.out, ErrWriter: stderr,
		Commands: []*cli.Command{demoCommand(s), devCommand(s), runCommand(s)},
	}, args)
}
