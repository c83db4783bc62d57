package terminal

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestHostileTextIsShownEscaped(t *testing.T) {
	for text, want := range map[string]string{
		"plain, äöü, 日本, 🙂": "plain, äöü, 日本, 🙂",
		"\x1b[2Jgone":       `\x1b[2Jgone`,
		"a\nb\r\tc\a":       `a\nb\r\tc\a`,
		"\u009b31m":         `\u009b31m`,
		"\x9b31m":           `\x9b31m`,
		"\u202egnp.exe":     `\u202egnp.exe`,
		"\u2028next":        `\u2028next`,
		"del\x7f":           `del\x7f`,
	} {
		if got := Escape(text); got != want {
			t.Errorf("Escape(%q) = %s, want %s", text, got, want)
		}
	}
}

func TestEscapedTextIsOneHarmlessLine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		for _, r := range Escape(string(rapid.SliceOf(rapid.Byte()).Draw(t, "text"))) {
			if !strconv.IsPrint(r) {
				t.Fatalf("%q was let through", r)
			}
		}
	})
}

func TestEscapedJSONSaysTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := map[string]string{"k": rapid.String().Draw(t, "value")}
		var text bytes.Buffer
		enc := json.NewEncoder(&text)
		enc.SetEscapeHTML(false) // leaves more as it is
		enc.SetIndent("\r\n", "\t")
		if err := enc.Encode(value); err != nil {
			t.Fatal(err)
		}
		safe := EscapeJSON(text.Bytes())
		if i := strings.IndexFunc(string(safe), func(r rune) bool { return !strconv.IsPrint(r) }); i >= 0 {
			t.Fatalf("%q was let through", safe[i:])
		}
		var back map[string]string
		if err := json.Unmarshal(safe, &back); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(value, back); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestBytesThatAreNoTextDoNotSurviveInJSON(t *testing.T) {
	got := EscapeJSON([]byte("\"\x9b31m\""))
	if !utf8.Valid(got) || string(got) != `"\ufffd31m"` {
		t.Errorf("got %q", got)
	}
}
