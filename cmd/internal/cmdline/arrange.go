package cmdline

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// Arrange rewrites a command line to what the parser understands, which stops
// at the first positional argument: the command, its flags, "--", the rest.
// Flags before the command go to the command. A negative number is an argument,
// and so is everything after "--". Without a command the line is left alone.
func Arrange(commands []*cli.Command, args []string) ([]string, error) {
	l := line{commands: commands}
	for len(args) > 0 {
		var err error
		if args, err = l.take(args); err != nil {
			return nil, err
		}
		if l.isHelp {
			return l.help(args)
		}
	}
	if l.command == nil {
		return l.bare()
	}
	if err := l.checkEarly(); err != nil {
		return nil, err
	}
	return slices.Concat([]string{l.command.Name}, l.flags, []string{"--"}, l.rest), nil
}

// line is a command line that is being read.
type line struct {
	commands []*cli.Command
	command  *cli.Command // nil until it is met
	isHelp   bool         // the command is the built-in help
	early    []string     // flags that stood before the command
	flags    []string     // with their values
	rest     []string
}

// take reads the next argument, and its value if it is a flag that has one, and
// returns the arguments that remain.
func (l *line) take(args []string) ([]string, error) {
	arg, args := args[0], args[1:]
	switch {
	case arg == "--":
		l.rest = append(l.rest, args...)
		return nil, nil
	case isFlag(arg):
		return l.takeFlag(arg, args)
	case l.command != nil:
		l.rest = append(l.rest, arg)
		return args, nil
	case arg == "help" || arg == "h":
		l.isHelp = true
		return args, nil
	}
	return args, l.takeCommand(arg)
}

// help is what remains when help is asked for, on a command or in general.
func (l *line) help(args []string) ([]string, error) {
	if len(args) > 0 && !isFlag(args[0]) && !l.isCommand(args[0]) {
		return nil, noCommand(l.commands, args[0])
	}
	return append([]string{"help"}, args...), nil
}

func (l *line) isCommand(name string) bool {
	return slices.ContainsFunc(l.commands, func(c *cli.Command) bool { return c.HasName(name) })
}

// bare is a line without a command, of which only help can come.
func (l *line) bare() ([]string, error) {
	for _, arg := range l.flags {
		if arg != "-h" && arg != "--help" {
			return nil, Usagef("%s alone says nothing to do: a command is missing", arg)
		}
	}
	return append(l.flags, l.rest...), nil
}

func (l *line) takeFlag(arg string, args []string) ([]string, error) {
	f, err := l.find(arg)
	if err != nil {
		return nil, err
	}
	if l.command == nil {
		l.early = append(l.early, arg)
	}
	if name, value, ok := strings.Cut(arg, "="); ok {
		l.flags = append(l.flags, name+"="+inHours(f, value))
		return args, nil
	}
	l.flags = append(l.flags, arg)
	if !takesValue(f) {
		return args, nil
	}
	if len(args) == 0 {
		return nil, Usagef("%s needs a value", arg)
	}
	l.flags = append(l.flags, inHours(f, args[0]))
	return args[1:], nil
}

// inHours gives a duration in days as the parser reads it, which knows none.
func inHours(f cli.Flag, value string) string {
	if _, ok := f.(*cli.DurationFlag); !ok || !strings.Contains(value, "d") {
		return value
	}
	d, err := ParseDuration(value)
	if err != nil {
		return value
	}
	return d.String()
}

func (l *line) takeCommand(name string) error {
	i := slices.IndexFunc(l.commands, func(c *cli.Command) bool { return c.HasName(name) })
	if i < 0 {
		return noCommand(l.commands, name)
	}
	l.command = l.commands[i]
	return nil
}

// checkEarly finds flags before the command that are another command's.
func (l *line) checkEarly() error {
	for _, arg := range l.early {
		if _, err := l.find(arg); err != nil {
			return err
		}
	}
	return nil
}

// find gives the flag of the command, or of any command while it is not known.
func (l *line) find(arg string) (cli.Flag, error) {
	name, _, _ := strings.Cut(strings.TrimLeft(arg, "-"), "=")
	commands := l.commands
	if l.command != nil {
		commands = []*cli.Command{l.command}
	}
	flags := []cli.Flag{cli.HelpFlag}
	for _, c := range commands {
		flags = append(flags, c.Flags...)
	}
	for _, f := range flags {
		if slices.Contains(f.Names(), name) {
			return f, nil
		}
	}
	return nil, noFlag(flags, arg, name)
}

// isFlag tells a flag from "-" and from a number below zero.
func isFlag(arg string) bool {
	return len(arg) > 1 && arg[0] == '-' && !strings.ContainsRune("0123456789.", rune(arg[1]))
}

func takesValue(f cli.Flag) bool {
	d, ok := f.(cli.DocGenerationFlag)
	return ok && d.TakesValue()
}
