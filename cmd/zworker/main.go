// Zworker performs calls.
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
