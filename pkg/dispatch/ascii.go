package dispatch

import (
	"fmt"
	"strings"
	"unicode/utf16"
)

// mostHeaders leaves room for those of the server in its 64 KiB.
const mostHeaders = 62 << 10

// asciiOf spells headers in ASCII, in place: there are clients that read no header at
// all of a message with other bytes. Headers that another client has filled to the
// limit stay as they came, which is better than not at all.
func asciiOf(h map[string]string) {
	size := 0
	spelt := map[string]string{}
	for key, value := range h {
		if a := ascii(value); a != value {
			spelt[key], value = a, a
		}
		size += len(key) + len(value)
	}
	if size > mostHeaders {
		return
	}
	for key, value := range spelt {
		h[key] = value
	}
}

// ascii spells what is not ASCII as JSON does. A header that holds such text is JSON,
// and says the same then, or is for people.
func ascii(s string) string {
	if !strings.ContainsFunc(s, beyondASCII) {
		return s
	}
	out := make([]byte, 0, 2*len(s))
	for _, r := range s {
		switch {
		case !beyondASCII(r):
			out = append(out, byte(r)) //nolint:gosec // it is below 128
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, high, low)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
	}
	return string(out)
}

func beyondASCII(r rune) bool { return r >= 0x7f }
