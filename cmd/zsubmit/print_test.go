package main

import (
	"encoding/json"
	"io"
	"strconv"
	"strings"
	"testing"
	"time"

	"zasync/pkg/deferred"
)

const evil = "\x1b]0;owned\a\x1b[2J\nroot# \r\u202e\u009b31m"

// hostile is a record of which somebody else has written every text.
func hostile(s deferred.State) deferred.Record {
	r := deferred.Record{
		ID: "id", Name: evil, Queue: evil, State: s, Token: deferred.Token{Worker: evil},
		Labels:    map[string]string{evil: evil},
		Callbacks: []deferred.RecordedCallback{{On: deferred.Branch(evil), Kinds: []string{evil}, ID: evil, Call: deferred.Call{Name: evil}}},
		Parent:    &deferred.RecordedParent{ID: evil, On: evil, Kinds: []string{evil}},
		Waits:     &deferred.Waits{Mode: evil, On: []deferred.ID{evil}},
		SettledBy: evil, HoldReason: evil,
		Submitted: time.Now(), NotBefore: time.Now().Add(time.Hour),
		Counts: deferred.Counts{Failures: 1}, Failure: &deferred.Failure{Kind: evil, Message: evil, Stack: evil, Chain: []deferred.Cause{{Kind: evil, Message: evil}}},
	}
	if s == deferred.Succeeded {
		r.Failure, r.Result = nil, deferred.JSON([]byte("{\"a\":\r\n\"\u009b31m\u202e\x7f\"}"))
	}
	return r
}

func TestHostileTextNeverReachesTheTerminal(t *testing.T) {
	note := deferred.Note{Key: evil, Value: json.RawMessage("\r\"\u009b31m\"")}
	progress := deferred.Note{Key: deferred.ProgressKey, Value: json.RawMessage(`{"done":1,"message":"\u001b[2J\n"}`)}
	for name, print := range map[string]func(w io.Writer, r *deferred.Record) error{
		"table": func(w io.Writer, r *deferred.Record) error { return printWhole(&printer{out: w, form: asTable}, r) },
		"details": func(w io.Writer, r *deferred.Record) error {
			return printWhole(&printer{out: w, form: asTable, single: true}, r)
		},
		"trace": func(w io.Writer, r *deferred.Record) error {
			return printWhole(&printer{out: w, form: asTable, trace: deferred.DetailVerbose}, r)
		},
		"json":   func(w io.Writer, r *deferred.Record) error { return printWhole(&printer{out: w, form: asJSON}, r) },
		"jsonl":  func(w io.Writer, r *deferred.Record) error { return printWhole(&printer{out: w, form: asLines}, r) },
		"result": func(w io.Writer, r *deferred.Record) error { return printWhole(&printer{out: w}, r) },
		"ending": func(w io.Writer, r *deferred.Record) error {
			_ = waiting{streams: streams{err: w}}.conclude(&printer{form: quiet}, r)
			return nil
		},
		"lines": func(w io.Writer, r *deferred.Record) error {
			for _, v := range []view{newLines(w), jsonLines{streams{out: w, err: w}}} {
				n := &node{id: evil, relation: evil, record: *r}
				v.found(n)
				for _, c := range []deferred.Change{{Record: r}, {Note: &note}, {Note: &progress}} {
					v.changed(n, c)
				}
			}
			return nil
		},
		"tree": func(w io.Writer, r *deferred.Record) error {
			g := grower{source: kept{}, seen: map[deferred.ID]bool{}}
			drawn, err := g.tree(t.Context(), r)
			if err == nil {
				drawn.draw(w, "", "")
			}
			return err
		},
		"notes": func(w io.Writer, _ *deferred.Record) error {
			for _, f := range []form{asTable, asJSON, asLines} {
				o := annotationsOptions{base: base{streams: streams{out: w}, form: f}}
				if err := o.show([]deferred.Note{note, progress}); err != nil {
					return err
				}
			}
			return nil
		},
	} {
		for _, s := range deferred.States {
			r := hostile(s)
			var out strings.Builder
			if err := print(&out, &r); err != nil {
				t.Errorf("%s, %s: %v", name, s, err)
			}
			for _, c := range strings.ReplaceAll(out.String(), "\n", "") {
				if !strconv.IsPrint(c) {
					t.Errorf("%s, %s: %q was let through in %q", name, s, c, out.String())
					break
				}
			}
		}
	}
}

func printWhole(p *printer, r *deferred.Record) error {
	if err := p.print(r); err != nil {
		return err
	}
	return p.close()
}

func TestRecordIsOneLineOfATable(t *testing.T) {
	for _, s := range deferred.States {
		r := hostile(s)
		var out strings.Builder
		if err := printWhole(&printer{out: &out, form: asTable}, &r); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(out.String(), "\n"); n != 2 {
			t.Errorf("%s: %d lines:\n%s", s, n, out.String())
		}
	}
}

func TestRecordIsPrintedAsItIsStored(t *testing.T) {
	r := hostile(deferred.Failed)
	stored, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, single := range []bool{true, false} {
		var out strings.Builder
		if err := printWhole(&printer{out: &out, form: asJSON, single: single}, &r); err != nil {
			t.Fatal(err)
		}
		var want, got any
		if err := json.Unmarshal(stored, &want); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(out.String()), &got); err != nil {
			t.Fatalf("%v:\n%s", err, out.String())
		}
		if !single {
			want = []any{want}
		}
		if !equalJSON(t, want, got) {
			t.Errorf("single %t: %s", single, out.String())
		}
	}
}

func equalJSON(t *testing.T, a, b any) bool {
	t.Helper()
	x, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	y, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(x) == string(y)
}

// A table has one line of it, the details of a record as much as was asked for,
// and JSON has all.
func TestTraceOfAFailureIsAsLongAsTheFormAllows(t *testing.T) {
	r := deferred.Record{ID: "a", State: deferred.Failed, Failure: &deferred.Failure{
		Kind: "panic", Message: "index out of range", Chain: []deferred.Cause{{Kind: "odd", Message: "inner"}}, Stack: "main.run()\n\tmain.go:7\n",
	}}
	const (
		brief  = "failure    panic: index out of range\n"
		cause  = "           caused by odd: inner\n"
		stack  = "           main.run()\n               main.go:7\n"
		advice = "stack      see zsubmit status --trace verbose\n"
	)
	for _, c := range []struct {
		name    string
		printer printer
		end     string
	}{
		{"a table", printer{form: asTable}, "panic: index out of range\n"},
		{"details", printer{form: asTable, single: true}, brief + cause + advice},
		{"brief", printer{form: asTable, trace: deferred.DetailBrief}, brief + advice},
		{"default", printer{form: asTable, trace: deferred.DetailDefault}, brief + cause + advice},
		{"verbose", printer{form: asTable, trace: deferred.DetailVerbose}, brief + cause + stack},
		{"JSON", printer{form: asLines}, `"failure":{"kind":"panic","message":"index out of range","chain":[{"kind":"odd","message":"inner"}],"stack":"main.run()\n\tmain.go:7\n"}}` + "\n"},
	} {
		var out strings.Builder
		c.printer.out = &out
		if err := printWhole(&c.printer, &r); err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(out.String(), c.end) {
			t.Errorf("%s: it does not end with\n%s\nbut is\n%s", c.name, c.end, out.String())
		}
	}
}

func TestDetailsOfSeveralRecordsStandApart(t *testing.T) {
	var out strings.Builder
	p := printer{out: &out, form: asTable, trace: deferred.DetailBrief}
	for _, id := range []deferred.ID{"a", "b"} {
		if err := p.print(&deferred.Record{ID: id, State: deferred.Pending}); err != nil {
			t.Fatal(err)
		}
	}
	if want := "\n\nid         b\n"; strings.Count(out.String(), "\n\n") != 1 || !strings.Contains(out.String(), want) {
		t.Errorf("no %q in\n%s", want, out.String())
	}
}

func TestDurationIsShownInItsLargestUnit(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0ms", 20 * time.Millisecond: "20ms", 1600 * time.Millisecond: "2s", 119 * time.Second: "119s",
		5 * time.Minute: "5m", 3 * time.Hour: "3h", 72 * time.Hour: "3d",
	} {
		if got := short(d); got != want {
			t.Errorf("%s: %s, want %s", d, got, want)
		}
	}
}
