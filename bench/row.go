package main

import (
	"fmt"
	"slices"
	"time"
)

// A row is one measurement.
type row struct {
	What  string  `json:"what"`
	Unit  unit    `json:"unit"`
	Ours  float64 `json:"ours"`
	Floor float64 `json:"floor,omitempty"` // 0: there is none
	Ratio float64 `json:"ratio,omitempty"`
	Bar   bar     `json:"bar,omitzero"`
	OK    bool    `json:"ok"` // also where there is no bar
	// CPU microseconds of a call, client and server together.
	CPU      float64 `json:"cpu_us,omitempty"`
	FloorCPU float64 `json:"floor_cpu_us,omitempty"`
	Rounds   []round `json:"rounds,omitempty"`
}

// A round is one turn of each side.
type round struct {
	Ours  turn `json:"ours"`
	Floor turn `json:"floor"`
}

type unit string

const (
	perSecond    unit = "/s"
	milliseconds unit = "ms"
	calls        unit = "calls"
)

func (u unit) format(v float64) string {
	switch u {
	case milliseconds:
		return fmt.Sprintf("%.2f ms", v)
	case perSecond:
		return fmt.Sprintf("%.0f/s", v)
	}
	return fmt.Sprintf("%.0f", v)
}

// A bar is what is to be reached: a ratio, or a figure of ours. The zero bar is none.
type bar struct {
	Ratio float64  `json:"ratio_at_least,omitempty"`
	Most  *float64 `json:"at_most,omitempty"`
}

func atLeast(ratio float64) bar { return bar{Ratio: ratio} }
func atMost(v float64) bar      { return bar{Most: &v} }

func (b bar) reached(r *row) bool {
	return r.Ratio >= b.Ratio && (b.Most == nil || r.Ours <= *b.Most)
}

// conclude takes the medians of the rounds. That of the ratios is not the ratio
// of the medians: the sides of one round met the same machine.
func (r *row) conclude() {
	r.Ours = r.median(func(x round) float64 { return x.Ours.Rate })
	r.Floor = r.median(func(x round) float64 { return x.Floor.Rate })
	if r.Ours > 0 && r.Floor > 0 {
		r.Ratio = r.median(func(x round) float64 { return x.Ours.Rate / x.Floor.Rate })
	}
	r.CPU = r.median(func(x round) float64 { return x.Ours.cpu() })
	r.FloorCPU = r.median(func(x round) float64 { return x.Floor.cpu() })
	r.OK = r.Bar.reached(r)
}

func (r *row) median(of func(round) float64) float64 {
	var v []float64
	for _, x := range r.Rounds {
		v = append(v, of(x))
	}
	slices.Sort(v)
	n := len(v)
	return (v[(n-1)/2] + v[n/2]) / 2
}

// timeRow is a row of times, the floor's 0 if there is none.
func timeRow(what string, b bar, ours, floor time.Duration) row {
	r := row{What: what, Unit: milliseconds, Ours: inMilliseconds(ours), Floor: inMilliseconds(floor), Bar: b}
	if floor > 0 {
		r.Ratio = r.Ours / r.Floor
	}
	r.OK = b.reached(&r)
	return r
}

func countRow(what string, b bar, n int) row {
	r := row{What: what, Unit: calls, Ours: float64(n), Bar: b}
	r.OK = b.reached(&r)
	return r
}

func inMilliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// durations are times that were measured.
type durations []time.Duration

// quantile gives the time that a share of them does not exceed.
func (d durations) quantile(share float64) time.Duration {
	sorted := slices.Sorted(slices.Values(d))
	return sorted[int(share*float64(len(sorted)-1))]
}
