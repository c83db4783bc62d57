package main

import (
	"fmt"
	"os"
	"strings"

	"zasync/cmd/internal/terminal"
)

// conclude prints the result, and what to try next.
func (o *demoOptions) conclude(t totals) error {
	o.printf("\n%s: %s, %s, %s. The largest:\n\n", plural(t.Files, "file"), plural(int(t.Lines), "line"), plural(int(t.Words), "word"), size(t.Bytes))
	table := terminal.Table{Indent: "  ", Columns: []terminal.Column{
		{Name: "file", Max: 48}, {Name: "lines", Right: true}, {Name: "words", Right: true}, {Name: "bytes", Right: true}, {Name: "sha-256"},
	}}
	for _, c := range t.Largest {
		table.Add(c.File, fmt.Sprint(c.Lines), fmt.Sprint(c.Words), fmt.Sprint(c.Bytes), c.SHA256[:12])
	}
	if err := table.Print(o.out); err != nil {
		return err
	}
	o.printf("\nNext: %s dev\nand in another terminal: %s call demo/sleep '{\"for\":\"5s\"}' --wait\n", program("zworker"), program("zsubmit"))
	return nil
}

// program is how to start one of the programs: as this one was.
func program(name string) string {
	if strings.Contains(os.Args[0], "go-build") {
		return "go run ./cmd/" + name
	}
	return name
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
