package terminal

import (
	"io"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// A Column is a heading, and how to show what stands below it.
type Column struct {
	Name  string
	Right bool // aligned, for numbers
	Max   int  // characters; longer text is cut. 0 is no limit
}

// A Table is rows of cells under columns. Cells need not be escaped.
type Table struct {
	Columns []Column
	Indent  string // before each line
	rows    []table.Row
}

// Add adds a row.
func (t *Table) Add(cells ...string) {
	row := make(table.Row, len(cells))
	for i, cell := range cells {
		cell = Escape(cell)
		if limit := t.Columns[i].Max; limit > 0 {
			cell = Cut(cell, limit)
		}
		row[i] = cell
	}
	t.rows = append(t.rows, row)
}

// Cut makes text no wider than limit, with a mark if it was.
func Cut(s string, limit int) string { return text.Snip(s, limit, "…") }

// Len is the number of rows.
func (t *Table) Len() int { return len(t.rows) }

// Print writes the table, one line a row.
func (t *Table) Print(w io.Writer) error {
	p := table.NewWriter()
	p.SetStyle(plain())
	p.SuppressTrailingSpaces()
	header := table.Row{}
	var configs []table.ColumnConfig
	for i, c := range t.Columns {
		header = append(header, c.Name)
		if c.Right {
			configs = append(configs, table.ColumnConfig{Number: i + 1, Align: text.AlignRight, AlignHeader: text.AlignRight})
		}
	}
	p.SetColumnConfigs(configs)
	p.AppendHeader(header)
	p.AppendRows(t.rows)
	lines := strings.Split(p.Render(), "\n")
	_, err := io.WriteString(w, t.Indent+strings.Join(lines, "\n"+t.Indent)+"\n")
	return err
}

// plain has no lines: what is printed can be cut and searched.
func plain() table.Style {
	s := table.StyleDefault
	s.Options = table.OptionsNoBordersAndSeparators
	s.Box.PaddingLeft, s.Box.PaddingRight = "", "  "
	s.Format.Header = text.FormatUpper
	return s
}
