package main

import (
	"context"
	"io"

	"zasync/cmd/internal/cmdline"

	"github.com/urfave/cli/v2"
)

// streams are what a command reads and prints to: results to out, and
// everything else to err.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// run is the program without its process. It returns the exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	return cmdline.Run(ctx, app(streams{in: stdin, out: cmdline.NewOutput(stdout), err: stderr}), args)
}

func app(s streams) *cli.App {
	return &cli.App{
		Name:      "zsubmit",
		Usage:     "submit calls, wait for them, look after them",
		UsageText: "zsubmit COMMAND [FLAGS] [ARGUMENTS]",
		Description: `Start a server and a worker with "zworker dev", then:

  zsubmit call demo/add '[1,2,3]' --wait
  zsubmit list --state failed

Exit codes: 0 done or succeeded, 1 error, 2 usage, 3 failed, 4 cancelled,
5 expired, 6 gave up waiting, 7 not found.`,
		Reader: s.in, Writer: s.out, ErrWriter: s.err,
		Commands: []*cli.Command{
			callCommand(s), statusCommand(s), resultCommand(s), waitCommand(s), watchCommand(s),
			listCommand(s), cancelCommand(s), annotateCommand(s), annotationsCommand(s),
			holdCommand(s), releaseCommand(s), promiseCommand(s), resolveCommand(s), rejectCommand(s), joinCommand(s), treeCommand(s), unhandledCommand(s),
		},
	}
}
