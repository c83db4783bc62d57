package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"zasync/cmd/internal/terminal"
	"zasync/pkg/deferred"
)

// A printer prints records in a form: results by default. JSON and lines go out
// as they come; a table is printed at the end.
type printer struct {
	out    io.Writer
	form   form
	single bool            // one record was asked for: as JSON it is an object, as a table its details
	trace  deferred.Detail // of the failures in details; if it is given there are no tables but details
	table  *terminal.Table
	count  int
}

func (p *printer) print(r *deferred.Record) error {
	p.count++
	switch p.form {
	case quiet:
		return nil
	case asIDs:
		return p.line([]byte(r.ID))
	case asTable:
		return p.row(r)
	case asLines, asJSON:
		return p.json(r)
	}
	return p.result(r)
}

// close ends what was begun.
func (p *printer) close() error {
	switch {
	case p.form == asJSON && !p.single && p.count == 0:
		return p.line([]byte("[]"))
	case p.form == asJSON && !p.single:
		return p.line([]byte("\n]"))
	case p.form == asTable && p.table != nil:
		return p.table.Print(p.out)
	}
	return nil
}

func (p *printer) line(text []byte) error {
	_, err := fmt.Fprintf(p.out, "%s\n", text)
	return err
}

// result prints what a call has returned; what it has not is told elsewhere.
func (p *printer) result(r *deferred.Record) error {
	if r.State != deferred.Succeeded {
		return nil
	}
	text, err := r.Result.JSON()
	if err != nil {
		return err
	}
	return p.line(terminal.EscapeJSON(text))
}

func (p *printer) json(r *deferred.Record) error {
	text, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("record of %s: %w", r.ID, err)
	}
	text = terminal.EscapeJSON(text)
	switch {
	case p.form == asLines:
		return p.line(text)
	case p.single:
		return p.indented("", "", text, "\n")
	case p.count == 1:
		return p.indented("[\n  ", "  ", text, "")
	}
	return p.indented(",\n  ", "  ", text, "")
}

func (p *printer) indented(before, prefix string, text []byte, after string) error {
	b := bytes.NewBufferString(before)
	if err := json.Indent(b, text, prefix, "  "); err != nil {
		return err
	}
	b.WriteString(after)
	_, err := p.out.Write(b.Bytes())
	return err
}

func (p *printer) row(r *deferred.Record) error {
	now := time.Now()
	if p.single || p.trace != "" {
		return p.details(r, now)
	}
	if p.table == nil {
		p.table = &terminal.Table{Columns: []terminal.Column{
			{Name: "id"}, {Name: "name"}, {Name: "queue"}, {Name: "state"}, {Name: "attempt", Right: true},
			{Name: "submitted", Right: true}, {Name: "info", Max: 60},
		}}
	}
	p.table.Add(string(r.ID), r.Name, r.Queue, string(r.State), fmt.Sprint(r.Attempt), age(r.Submitted, now), info(r, now))
	return nil
}

func (p *printer) details(r *deferred.Record, now time.Time) error {
	if p.count > 1 {
		if err := p.line(nil); err != nil {
			return err
		}
	}
	return printDetails(p.out, r, p.trace, now)
}
