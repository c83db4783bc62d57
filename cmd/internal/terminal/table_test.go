package terminal

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTableHasALineForEachRow(t *testing.T) {
	table := Table{Indent: "  ", Columns: []Column{{Name: "name"}, {Name: "n", Right: true}, {Name: "info", Max: 8}}}
	table.Add("one", "1", "short")
	table.Add("two\nlines", "1000", "\x1b[31mvery long")
	var b strings.Builder
	if err := table.Print(&b); err != nil {
		t.Fatal(err)
	}
	want := `
  NAME           N  INFO
  one            1  short
  two\nlines  1000  \x1b[31…
`
	if diff := cmp.Diff(want, "\n"+b.String()); diff != "" {
		t.Error(diff)
	}
}

func TestNothingIsDrawnWhereThereIsNoTerminal(t *testing.T) {
	var b strings.Builder
	bars := NewBars(&b)
	bars.Add("label").Set(1, 2, "note")
	bars.Println("a line")
	bars.Close()
	if b.String() != "a line\n" {
		t.Errorf("printed %q", b.String())
	}
}
