package cmdline

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

const day = 24 * time.Hour

// ParseDuration reads a duration such as 90s, 1d or 1d12h. A day is 24 hours.
func ParseDuration(text string) (time.Duration, error) {
	before, rest, found := strings.Cut(text, "d")
	if !found {
		return time.ParseDuration(text)
	}
	days, err := strconv.ParseUint(before, 10, 31)
	if err != nil || days > uint64(math.MaxInt64/day)-1 {
		return 0, fmt.Errorf("%q is no number of days", before)
	}
	d := time.Duration(days) * day
	if rest == "" {
		return d, nil
	}
	more, err := time.ParseDuration(rest)
	if err != nil || more < 0 || more > math.MaxInt64-d {
		return 0, fmt.Errorf("%q is no duration", text)
	}
	return d + more, nil
}
