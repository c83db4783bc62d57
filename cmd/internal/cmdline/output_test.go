package cmdline

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/urfave/cli/v2"
)

type broken struct{ err error }

func (b broken) Write([]byte) (int, error) { return 0, b.err }

func TestLostOutputIsAnError(t *testing.T) {
	for _, c := range []struct {
		lost, own error
		code      int
	}{
		{syscall.ENOSPC, nil, Error},
		{syscall.ENOSPC, &ExitError{Code: Failed}, Failed},
		{fmt.Errorf("write: %w", syscall.EPIPE), nil, Done},
		{nil, nil, Done},
	} {
		var stderr bytes.Buffer
		app := &cli.App{Name: "tool", Writer: NewOutput(broken{c.lost}), ErrWriter: &stderr}
		app.Commands = []*cli.Command{{Name: "do", Action: func(*cli.Context) error {
			_, _ = fmt.Fprintln(app.Writer, "the id")
			return c.own
		}}}
		code := Run(t.Context(), app, []string{"do"})
		if told := strings.Contains(stderr.String(), "could not be written"); code != c.code || told != (c.code == Error) {
			t.Errorf("%v, %v: code %d, want %d; printed %q", c.lost, c.own, code, c.code, stderr.String())
		}
		if c.lost != nil && !errors.Is(app.Writer.(*Output).err, c.lost) {
			t.Errorf("the error is %v", app.Writer.(*Output).err)
		}
	}
}
