package main

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"strconv"
	"text/tabwriter"

	"github.com/nats-io/nats.go"
)

// A machine is where and how the figures were made.
type machine struct {
	Cores      int    `json:"cores"`
	Go         string `json:"go"`
	Platform   string `json:"platform"`
	Server     string `json:"server"`
	Client     string `json:"client"`
	Durability string `json:"durability"`
}

func (b *bench) machine() machine {
	return machine{
		Cores: runtime.GOMAXPROCS(0), Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH,
		Server: b.server.version, Client: nats.Version, Durability: b.durability,
	}
}

func (b *bench) report(out io.Writer) error {
	if b.json {
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		return e.Encode(struct {
			Machine machine `json:"machine"`
			Calls   int     `json:"calls"`
			Rows    []row   `json:"rows"`
		}{b.machine(), b.n, b.rows})
	}
	m := b.machine()
	fmt.Fprintf(out, "%d cores, %s %s, nats-server %s in a process of its own, nats.go %s, durability %s\n",
		m.Cores, m.Go, m.Platform, m.Server, m.Client, m.Durability)
	fmt.Fprintf(out, "%d calls a round with %d bytes of JSON; medians of %d rounds, the sides in turn\n\n", b.n, argsSize, b.rounds)
	return b.table(out)
}

func (b *bench) table(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', tabwriter.AlignRight)
	widest := 0
	for i := range b.rows {
		widest = max(widest, len(b.rows[i].What))
	}
	fmt.Fprintf(w, "%-*s\tours\tfloor\tratio\tbar\tok\tours, CPU\tfloor, CPU\t\n", widest, "")
	for i := range b.rows {
		r := &b.rows[i]
		fmt.Fprintf(w, "%-*s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t\n", widest, r.What,
			r.Unit.format(r.Ours), r.floor(), r.ratio(), r.bar(), r.ok(), cpu(r.CPU), cpu(r.FloorCPU))
	}
	return w.Flush()
}

func cpu(us float64) string {
	if us == 0 {
		return "-"
	}
	return fmt.Sprintf("%.0f us", us)
}

func (r *row) floor() string {
	if r.Floor == 0 {
		return "-"
	}
	return r.Unit.format(r.Floor)
}

func (r *row) ratio() string {
	if r.Ratio == 0 {
		return "-"
	}
	return strconv.FormatFloat(r.Ratio, 'f', 2, 64)
}

func (r *row) bar() string {
	switch {
	case r.Bar.Most != nil:
		return "<= " + r.Unit.format(*r.Bar.Most)
	case r.Bar.Ratio != 0:
		return fmt.Sprintf(">= %.2f", r.Bar.Ratio)
	}
	return "-"
}

func (r *row) ok() string {
	switch {
	case r.Bar == bar{}:
		return "-"
	case r.OK:
		return "yes"
	}
	return "NO"
}
