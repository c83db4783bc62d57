package suite

import (
	"encoding/json"
	"strings"

	"zasync/pkg/deferred"
)

// check holds each settled node to what it hangs on.
func (g *graph) check() {
	records := map[deferred.ID]deferred.Record{}
	calls := append(g.calls, g.late...)
	for _, c := range calls {
		r, err := g.queue.Await(g.ctx, c.ID) // which has settled
		if err != nil {
			g.Fatal(err)
		}
		records[c.ID] = r
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	counts := map[deferred.State]int{}
	for attempt, n := range g.attempts {
		if n > 1 {
			g.Errorf("%s was performed %d times", attempt, n)
		}
	}
	for _, c := range calls {
		r := records[c.ID]
		counts[r.State]++
		if g.runs[c.ID] > 1 && !g.mortal {
			g.Errorf("%s ran %d times", c.ID, g.runs[c.ID])
		}
		if r.State == deferred.Cancelled && r.Failure.Kind == deferred.KindCancelled {
			continue // by somebody, before what it hangs on said anything
		}
		switch {
		case c.After != nil:
			p := records[c.After.Parent]
			g.checkCallback(c, &r, &p)
		case c.Join != nil:
			g.checkJoin(&r, records)
		case c.Name == "adopt":
			var inner deferred.ID
			if err := c.Args.Decode(&inner); err != nil {
				g.Fatal(err)
			}
			i := records[inner]
			g.same(&r, &i, "adopted")
		case c.Promise == "" && g.runs[c.ID] == 0:
			g.Errorf("%s ran %d times", c.ID, g.runs[c.ID])
		}
	}
	g.Logf("%v", counts)
	if g.mortal {
		return // it is small, and one of very many
	}
	if counts[deferred.Succeeded] == 0 || counts[deferred.Failed] == 0 || counts[deferred.Cancelled] == 0 {
		g.Errorf("a graph without all outcomes shows nothing: %v", counts)
	}
}

func (g *graph) checkCallback(c deferred.Call, r, p *deferred.Record) {
	if c.After.Takes(p) {
		if r.Skipped || g.runs[c.ID] == 0 {
			g.Errorf("callback %s on %s of %s, which has %s, ran %d times (skipped: %v)", c.ID, c.After.On, p.ID, p.State, g.runs[c.ID], r.Skipped)
		}
		g.checkInput(c, r, p)
		return
	}
	if !r.Skipped || g.runs[c.ID] != 0 {
		g.Errorf("callback %s on %s of %s, which has %s, ran %d times (skipped: %v)", c.ID, c.After.On, p.ID, p.State, g.runs[c.ID], r.Skipped)
	}
	g.same(r, p, "passed through")
}

// checkInput: a callback that returns its input has the result of what it follows,
// or its failure as JSON. So siblings get the same, whatever the others made of it.
func (g *graph) checkInput(c deferred.Call, r, p *deferred.Record) {
	switch c.Name {
	case "fail":
		if r.State != deferred.Failed || r.Failure.Message != "by "+string(c.ID) {
			g.Errorf("callback %s has %s (%v), not its own failure", c.ID, r.State, r.Failure)
		}
	case "value":
		in := p.Result.Data
		if p.State != deferred.Succeeded {
			var err error
			if in, err = json.Marshal(p.Failure); err != nil {
				g.Fatal(err)
			}
		}
		if r.State != deferred.Succeeded || string(r.Result.Data) != string(in) {
			g.Errorf("callback %s was called with %s (%s, %v), but %s has %s", c.ID, r.Result.Data, r.State, r.Failure, p.ID, in)
		}
	}
}

func (g *graph) checkJoin(r *deferred.Record, records map[deferred.ID]deferred.Record) {
	j, succeeded := r.Waits, 0
	for _, id := range j.On {
		if records[id].State == deferred.Succeeded {
			succeeded++
		}
	}
	want := deferred.Succeeded
	switch j.Mode {
	case deferred.JoinAll:
		if succeeded < len(j.On) {
			want = deferred.Failed
		}
	case deferred.JoinAny:
		if succeeded == 0 {
			want = deferred.Failed
		}
	case deferred.JoinRace:
		winner := records[r.Waits.Winner]
		g.same(r, &winner, "won the race")
		return
	}
	switch {
	case r.State != want:
		g.Errorf("join %s (%s) with %d of %d succeeded has %s", r.ID, j.Mode, succeeded, len(j.On), r.State)
	case j.Mode == deferred.JoinAny && want == deferred.Succeeded:
		winner := records[r.Waits.Winner]
		g.same(r, &winner, "was the first")
	case j.Mode == deferred.JoinAll && want == deferred.Succeeded:
		if list := listOf(j.On, records); string(r.Result.Data) != list {
			g.Errorf("join %s has %s, want %s", r.ID, r.Result.Data, list)
		}
	}
}

func listOf(ids []deferred.ID, records map[deferred.ID]deferred.Record) string {
	results := make([]string, len(ids))
	for i, id := range ids {
		r := records[id].Result
		if results[i] = string(r.Data); r.IsZero() {
			results[i] = "null"
		}
	}
	return "[" + strings.Join(results, ",") + "]"
}

func (g *graph) same(r, other *deferred.Record, how string) {
	if r.State != other.State || string(r.Result.Data) != string(other.Result.Data) {
		g.Errorf("%s has %s %s, but %s of %s: %s %s", r.ID, r.State, r.Result.Data, how, other.ID, other.State, other.Result.Data)
	}
}
