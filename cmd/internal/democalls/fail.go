package democalls

import (
	"context"
	"fmt"

	"zasync/pkg/deferred"
)

// FailArgs are the arguments of Fail.
type FailArgs struct {
	Times int `json:"times"`
}

// fail goes by the failures and not by the attempts: one that was interrupted
// or whose worker died has not failed.
func fail(ctx context.Context, args FailArgs) (string, error) {
	failed := deferred.AttemptFrom(ctx).Failures
	if failed < args.Times {
		return "", fmt.Errorf("failed on purpose (%d of %d)", failed+1, args.Times)
	}
	return fmt.Sprintf("succeeded after %s", times(failed)), nil
}

func times(n int) string {
	if n == 1 {
		return "1 failure"
	}
	return fmt.Sprintf("%d failures", n)
}
