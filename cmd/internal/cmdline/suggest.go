package cmdline

import (
	"github.com/urfave/cli/v2"
)

// nearest is the word that was probably meant, or "" if none is near: a wrong
// letter in three may be a slip, and more of them are another word.
func nearest(word string, words []string) string {
	found, least := "", len(word)/3+1
	for _, w := range words {
		if d := distance(word, w); d < least {
			found, least = w, d
		}
	}
	return found
}

func noCommand(commands []*cli.Command, name string) error {
	var names []string
	for _, c := range commands {
		names = append(names, c.Names()...)
	}
	if near := nearest(name, names); near != "" {
		return Usagef("there is no command %q; did you mean %q?", name, near)
	}
	return Usagef("there is no command %q", name)
}

func noFlag(flags []cli.Flag, arg, name string) error {
	if near := nearest(name, longNames(flags)); near != "" {
		return Usagef("there is no flag %s; did you mean --%s?", arg, near)
	}
	return Usagef("there is no flag %s", arg)
}

// distance is the number of letters to insert, drop, replace or swap with their
// neighbour to get from one word to the other.
func distance(a, b string) int {
	var before, above []int // the rows for a without its last two letters, and its last
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before, above, row = above, row, make([]int, len(b)+1)
		row[0] = i + 1
		for j := range len(b) {
			replace := above[j]
			if a[i] != b[j] {
				replace++
			}
			row[j+1] = min(above[j+1]+1, row[j]+1, replace)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
	}
	return row[len(b)]
}

// longNames are those of flags that are worth proposing.
func longNames(flags []cli.Flag) []string {
	var names []string
	for _, f := range flags {
		for _, name := range f.Names() {
			if len(name) > 1 {
				names = append(names, name)
			}
		}
	}
	return names
}
