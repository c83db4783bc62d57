package cmdline

import (
	"fmt"
	"regexp"
	"slices"

	"github.com/urfave/cli/v2"
)

var refusedValue = regexp.MustCompile(`^invalid (?:boolean )?value (".*") for (?:flag )?-([a-z-]+): `)

// badValue says what is wrong with the value of a flag. The parser's own words
// are those of the flag package, which knows neither our dashes nor our units.
func badValue(c *cli.Context, err error) string {
	m := refusedValue.FindStringSubmatch(err.Error())
	if m == nil || c.Command == nil {
		return err.Error()
	}
	for _, f := range c.Command.Flags {
		if slices.Contains(f.Names(), m[2]) {
			return fmt.Sprintf("--%s %s is %s", m[2], m[1], wanted(f))
		}
	}
	return err.Error()
}

func wanted(f cli.Flag) string {
	switch f.(type) {
	case *cli.DurationFlag:
		return "no duration such as 90s or 1h30m"
	case *cli.IntFlag:
		return "no whole number"
	case *cli.BoolFlag:
		return "neither true nor false"
	}
	return "not what it takes"
}
