package cmdline

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"

	"zasync/cmd/internal/terminal"

	"github.com/urfave/cli/v2"
)

// Run runs a program and returns its exit code. Errors go to the program's
// ErrWriter, one line each. A success whose [Output] was lost is none.
func Run(ctx context.Context, app *cli.App, args []string) int {
	code := perform(ctx, app, args)
	if o, ok := app.Writer.(*Output); ok && code == Done {
		if err := o.lost(); err != nil {
			Report(app, err)
			return Error
		}
	}
	return code
}

func perform(ctx context.Context, app *cli.App, args []string) int {
	prepare(app)
	if len(args) == 1 && args[0] == "--version" {
		_, _ = fmt.Fprintf(app.Writer, "%s %s\n", app.Name, version())
		return Done
	}
	arranged, err := Arrange(app.Commands, args)
	if err == nil {
		err = app.RunContext(ctx, append([]string{app.Name}, arranged...))
	}
	var exit *ExitError
	if err == nil || errors.As(err, &exit) && exit.Err == nil {
		return Code(err)
	}
	Report(app, err)
	if Code(err) == Usage {
		_, _ = fmt.Fprintf(app.ErrWriter, "%s: %q shows how to use it\n", app.Name, helpFor(app, args))
	}
	return Code(err)
}

// prepare turns off what the parser would do on its own: exit, print the whole
// help for a mistake, take "help" for a command where it is an argument, and
// split values at commas.
func prepare(app *cli.App) {
	app.HideVersion = true
	app.DisableSliceFlagSeparator = true
	app.ExitErrHandler = func(*cli.Context, error) {}
	app.Flags = append(app.Flags, &cli.BoolFlag{Name: "version", Usage: "print the version", DisableDefaultText: true})
	usage := func(c *cli.Context, err error, _ bool) error { return Usagef("%s", badValue(c, err)) }
	app.OnUsageError = usage
	for _, c := range app.Commands {
		c.OnUsageError = usage
		c.HideHelpCommand = true
	}
}

// Report prints an error as the program's. Those that were joined have a line each,
// and the same one is not told twice.
func Report(app *cli.App, err error) {
	var told []string
	for _, part := range parts(err) {
		text := Message(part)
		if !slices.Contains(told, text) {
			told = append(told, text)
			_, _ = fmt.Fprintf(app.ErrWriter, "%s: %s\n", app.Name, text)
		}
	}
}

// parts are the errors that [errors.Join] has put together: unlike others of several
// causes it says nothing of its own.
func parts(err error) (all []error) {
	joined, ok := err.(interface{ Unwrap() []error }) // an error around it says more
	if !ok {
		return []error{err}
	}
	if err.Error() != errors.Join(joined.Unwrap()...).Error() {
		return []error{err}
	}
	for _, part := range joined.Unwrap() {
		all = append(all, parts(part)...)
	}
	return all
}

// Message is an error for people: without the name of the package that it comes
// from, which is for programmers, and safe to print.
func Message(err error) string {
	return terminal.Escape(Plain(err.Error()))
}

var packages = regexp.MustCompile(`(^|: )(?:(?:embedded|jetstream|workerpool|dispatch|deferred): )+`)

// Plain is the text of an error, or of a failure, without the names of packages.
func Plain(text string) string { return packages.ReplaceAllString(text, "$1") }

// helpFor is where the help is on the command that somebody tried to use.
func helpFor(app *cli.App, args []string) string {
	for _, arg := range args {
		if c := app.Command(arg); c != nil && c.Name != "help" {
			return app.Name + " help " + c.Name
		}
	}
	return app.Name + " help"
}
