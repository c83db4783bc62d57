package cmdline

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/urfave/cli/v2"
)

func testCommands() []*cli.Command {
	return []*cli.Command{
		{Name: "call", Flags: []cli.Flag{
			&cli.StringFlag{Name: "queue"}, &cli.StringFlag{Name: "output", Aliases: []string{"o"}},
			&cli.BoolFlag{Name: "wait"}, &cli.DurationFlag{Name: "in"}, &cli.StringSliceFlag{Name: "label"},
		}},
		{Name: "list", Flags: []cli.Flag{&cli.StringFlag{Name: "state"}}},
	}
}

func TestFlagsMayStandAnywhere(t *testing.T) {
	for _, c := range []struct{ line, want string }{
		{"", ""},
		{"call", "call --"},
		{"call add [1] --wait", "call --wait -- add [1]"},
		{"call --wait add [1]", "call --wait -- add [1]"},
		{"call add --queue low [1] --wait", "call --queue low --wait -- add [1]"},
		{"call add --queue=low [1]", "call --queue=low -- add [1]"},
		{"call add -o json --label a=b --label c=d", "call -o json --label a=b --label c=d -- add"},
		{"--queue low call add", "call --queue low -- add"},
		{"call add -5", "call -- add -5"},
		{"call add -.5 --wait", "call --wait -- add -.5"},
		{"call add --in -5s", "call --in -5s -- add"},
		{"call add -", "call -- add -"},
		{"call add -- --wait", "call -- add --wait"},
		{"call --wait -- add --queue", "call --wait -- add --queue"},
		{"call list --wait", "call --wait -- list"},
		{"call help", "call -- help"},
		{"call --help", "call --help --"},
		{"help call", "help call"},
		{"h", "help"},
		{"-h", "-h"},
	} {
		got, err := Arrange(testCommands(), strings.Fields(c.line))
		if err != nil {
			t.Errorf("%q: %v", c.line, err)
			continue
		}
		if diff := cmp.Diff(strings.Fields(c.want), append([]string{}, got...)); diff != "" {
			t.Errorf("%q: (-want +got)\n%s", c.line, diff)
		}
	}
}

func TestMistypedWordIsAnsweredWithTheNearest(t *testing.T) {
	for line, want := range map[string]string{
		"cal add":             `there is no command "cal"; did you mean "call"?`,
		"call add --wiat":     `there is no flag --wiat; did you mean --wait?`,
		"--stat failed list":  `there is no flag --stat; did you mean --state?`,
		"--state failed call": `there is no flag --state`,
		"call add -v":         `there is no flag -v`,
		"call add --foo":      `there is no flag --foo`,
		"version":             `there is no command "version"`,
		"help lisst":          `there is no command "lisst"; did you mean "list"?`,
		"help nosuch":         `there is no command "nosuch"`,
		"-o json":             `-o alone says nothing to do: a command is missing`,
		"call add --queue":    `--queue needs a value`,
	} {
		_, err := Arrange(testCommands(), strings.Fields(line))
		if err == nil || err.Error() != want {
			t.Errorf("%q: got %v, want %s", line, err, want)
		}
		if Code(err) != Usage {
			t.Errorf("%q: code %d, want %d", line, Code(err), Usage)
		}
	}
}
