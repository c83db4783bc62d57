package main

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"zasync/pkg/deferred"

	"github.com/google/go-cmp/cmp"
)

// kept are records, with the results that some of them refer to.
type kept struct {
	records map[deferred.ID]deferred.Record
	large   map[deferred.ID]deferred.Content
}

func (k kept) Record(_ context.Context, id deferred.ID) (deferred.Record, error) {
	r, ok := k.records[id]
	if !ok {
		return r, deferred.ErrNotFound
	}
	return r, nil
}

func (k kept) Await(ctx context.Context, id deferred.ID) (deferred.Record, error) {
	r, err := k.Record(ctx, id)
	r.Result = k.large[r.ResultOf]
	return r, err
}

func TestTreeHasResultsWithinALineAndAsJSONWhole(t *testing.T) {
	long := `"` + strings.Repeat("long ", 50) + `"`
	waiter := func(id deferred.ID) deferred.RecordedCallback { return deferred.RecordedCallback{ID: id, Waiter: true} }
	k := kept{large: map[deferred.ID]deferred.Content{"join": deferred.JSON([]byte(`["whole"]`))}, records: map[deferred.ID]deferred.Record{
		"root": {ID: "root", Name: "f", State: deferred.Succeeded, Result: deferred.JSON([]byte(long)), Callbacks: []deferred.RecordedCallback{
			waiter("bytes"), waiter("join"), waiter("failed"), waiter("bytes"),
		}},
		"bytes":  {ID: "bytes", Name: "f", State: deferred.Succeeded, Result: deferred.Content{Type: deferred.TypeBytes, Data: []byte{1}}},
		"join":   {ID: "join", Name: "all", State: deferred.Succeeded, ResultOf: "join"},
		"failed": {ID: "failed", Name: "f", State: deferred.Failed, Failure: &deferred.Failure{Kind: "odd", Message: "three"}},
	}}
	grown := func(whole bool) *tree {
		g := grower{source: k, whole: whole, seen: map[deferred.ID]bool{}}
		root := k.records["root"]
		tree, err := g.tree(t.Context(), &root)
		if err != nil {
			t.Fatal(err)
		}
		return tree
	}
	var drawn strings.Builder
	grown(false).draw(&drawn, "", "")
	want := `f  root  succeeded: "long long long long long long long long long long long lon…
├─ on both: f  bytes  succeeded: "AQ=="
├─ on both: all  join  succeeded: its result is large: see zsubmit result
├─ on both: f  failed  failed: odd: three
└─ on both: f  bytes  succeeded (drawn above)
`
	if diff := cmp.Diff(want, drawn.String()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	text, err := json.Marshal(grown(true))
	if err != nil {
		t.Fatal(err)
	}
	want = `{"id":"root","name":"f","state":"succeeded","result":` + long + `,"children":[` +
		`{"id":"bytes","name":"f","state":"succeeded","on":"both","result":"AQ=="},` +
		`{"id":"join","name":"all","state":"succeeded","on":"both","result":["whole"]},` +
		`{"id":"failed","name":"f","state":"failed","on":"both","failure":"odd: three"},` +
		`{"id":"bytes","name":"f","state":"succeeded","on":"both","again":true}]}`
	if diff := cmp.Diff(want, string(text)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
