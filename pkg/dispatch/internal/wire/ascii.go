package wire

import (
	"fmt"
	"strings"
	"unicode/utf16"
)

// mostHeaders is the limit for our headers. The server allows 64 KiB with its own.
const mostHeaders = 62 << 10

// SpellInASCII rewrites headers in ASCII, in place. Some clients read no header at all
// of a message with other bytes. Headers that would exceed the limit stay as they are.
func SpellInASCII(h map[string]string) {
	size := 0
	spelt := map[string]string{}
	for key, value := range h {
		if a := ASCII(value); a != value {
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

// ASCII escapes other characters as JSON does. A header with such text is JSON, and
// keeps its meaning, or is for people.
func ASCII(s string) string {
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

// CutText cuts a text, at a character.
func CutText(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + " [cut]"
}
