// Zsubmit submits calls, waits for them and looks after them.
package main

import (
	"context"
	"os"

	"zasync/cmd/internal/cmdline"
)

func main() {
	ctx := cmdline.Interruptible(context.Background())
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
