package cmdline

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"zasync/pkg/deferred"

	"github.com/urfave/cli/v2"
)

func TestErrorBecomesALineAndACode(t *testing.T) {
	quiet := &ExitError{Code: Failed}
	for _, c := range []struct {
		err  error
		code int
		text string
	}{
		{nil, Done, ""},
		{errors.New("it broke"), Error, "tool: it broke\n"},
		{quiet, Failed, ""},
		{errors.Join(quiet, nil), Failed, ""},
		{&ExitError{Code: GaveUp, Err: errors.New("enough")}, GaveUp, "tool: enough\n"},
		{Usagef("no such %s", "thing"), Usage, "tool: no such thing\ntool: \"tool help do\" shows how to use it\n"},
		{fmt.Errorf("%w: x", deferred.ErrNotFound), NotFound, "tool: not found: x\n"},
		{deferred.CheckName("a b"), Usage, `tool: name "a b" must be of`},
		{errors.New("line\nand \x1b[31mred"), Error, `tool: line\nand \x1b[31mred` + "\n"},
	} {
		var stderr bytes.Buffer
		app := &cli.App{Name: "tool", Writer: &stderr, ErrWriter: &stderr, Commands: []*cli.Command{
			{Name: "do", Action: func(*cli.Context) error { return c.err }},
		}}
		code := Run(t.Context(), app, []string{"do", "help"})
		if code != c.code || !strings.HasPrefix(stderr.String(), c.text) || c.text == "" && stderr.Len() > 0 {
			t.Errorf("%v: code %d, want %d; printed %q, want %q", c.err, code, c.code, stderr.String(), c.text)
		}
	}
}

func TestEverySettledStateHasItsCode(t *testing.T) {
	want := map[deferred.State]int{deferred.Succeeded: Done, deferred.Failed: Failed, deferred.Cancelled: Cancelled, deferred.Expired: Expired}
	for s, code := range want {
		if got := StateCode(s); got != code {
			t.Errorf("%s: code %d, want %d", s, got, code)
		}
	}
}
