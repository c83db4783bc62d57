package cmdline

import (
	"bytes"
	"errors"
	"fmt"
	"runtime/debug"
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
		{errors.New("deferred: dispatch: call x: deferred: it broke"), Error, "tool: call x: it broke\n"},
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

func TestRefusedValueIsToldInTheWordsOfTheCommandLine(t *testing.T) {
	for arg, want := range map[string]string{
		"--in=5":    `tool: --in "5" is no duration such as 90s or 1h30m`,
		"--n=many":  `tool: --n "many" is no whole number`,
		"--wait=so": `tool: --wait "so" is neither true nor false`,
	} {
		var stderr bytes.Buffer
		app := &cli.App{Name: "tool", Writer: &stderr, ErrWriter: &stderr, Commands: []*cli.Command{
			{Name: "do", Flags: []cli.Flag{&cli.DurationFlag{Name: "in"}, &cli.IntFlag{Name: "n"}, &cli.BoolFlag{Name: "wait"}}},
		}}
		code := Run(t.Context(), app, []string{"do", arg})
		if first, _, _ := strings.Cut(stderr.String(), "\n"); code != Usage || first != want {
			t.Errorf("%s: code %d, %s", arg, code, first)
		}
	}
}

func TestVersionIsThatOfTheBuild(t *testing.T) {
	var stdout bytes.Buffer
	if code := Run(t.Context(), &cli.App{Name: "tool", Writer: &stdout}, []string{"--version"}); code != Done || stdout.String() != "tool "+version()+"\n" {
		t.Errorf("code %d, %q", code, stdout.String())
	}
	info := &debug.BuildInfo{GoVersion: "go1.99", Main: debug.Module{Version: "v1.2.3"}, Settings: []debug.BuildSetting{
		{Key: "vcs.revision", Value: "abc"}, {Key: "vcs.modified", Value: "true"},
	}}
	if got, want := versionOf(info), "v1.2.3, commit abc with changes, go1.99"; got != want {
		t.Errorf("got %q, want %q", got, want)
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

func TestErrorsThatCameTogetherHaveALineEach(t *testing.T) {
	full, odd := errors.New("deferred: no room"), errors.New("dispatch: odd\ntext")
	for _, c := range []struct {
		err  error
		want string
	}{
		{full, "tool: no room\n"},
		{errors.Join(full, odd), "tool: no room\ntool: odd\\ntext\n"},
		{errors.Join(full, full), "tool: no room\n"},
		{errors.Join(errors.Join(full, odd), full), "tool: no room\ntool: odd\\ntext\n"},
		{fmt.Errorf("both: %w: %w", full, odd), "tool: both: no room: odd\\ntext\n"},
	} {
		var stderr strings.Builder
		Report(&cli.App{Name: "tool", ErrWriter: &stderr}, c.err)
		if stderr.String() != c.want {
			t.Errorf("%q was told as %q, want %q", c.err, stderr.String(), c.want)
		}
	}
}
