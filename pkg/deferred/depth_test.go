package deferred_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"zasync/pkg/deferred"
)

type link struct {
	Next   *link   `json:"next"`
	Parent *link   `json:"-"`
	Others []*link `json:"others,omitempty"`
}

type ring *ring

// texted has parts that its own method keeps from the encoder.
type texted struct{ Self *texted }

func (t *texted) MarshalText() ([]byte, error) { return []byte("text"), nil }

func TestAValueThatContainsItselfIsAnErrorInEveryCodec(t *testing.T) {
	node := &link{}
	node.Next = node
	branch := &link{}
	branch.Others = []*link{branch}
	list := make([]any, 1)
	list[0] = list
	table := map[string]any{}
	table["self"] = table
	var pointer ring
	pointer = &pointer
	var box any
	box = &box
	type outer struct{ Any any }
	held := &outer{}
	held.Any = []any{held}
	for _, codec := range []string{deferred.TypeJSON, deferred.TypeMessagePack} {
		for _, v := range []any{node, *node, branch, list, table, pointer, box, held} {
			if c, err := deferred.EncodeAs(codec, v); err == nil {
				t.Errorf("%T became %d bytes of %s", v, len(c.Data), codec)
			}
		}
	}
}

func TestAValueThatOnlyCouldContainItselfIsEncoded(t *testing.T) {
	node := &link{Next: &link{}}
	node.Next.Parent = node // which is not encoded
	shared := &link{}
	node.Others = []*link{shared, shared}
	self := &texted{}
	self.Self = self
	for _, codec := range []string{deferred.TypeJSON, deferred.TypeMessagePack} {
		for _, v := range []any{node, self, map[string]any{"a": []any{1, nil}}} {
			if _, err := deferred.EncodeAs(codec, v); err != nil {
				t.Errorf("%s: %v", codec, err)
			}
		}
	}
}

func deep(n int) any {
	var v any = 1
	for range n {
		v = []any{v}
	}
	return v
}

func TestOnlyWhatCanBeReadAgainIsEncoded(t *testing.T) {
	packed := func(data string) deferred.Content {
		return deferred.Content{Type: deferred.TypeMessagePack, Data: []byte(data)}
	}
	for _, codec := range []string{deferred.TypeJSON, deferred.TypeMessagePack} {
		c, err := deferred.EncodeAs(codec, deep(1000))
		if err != nil || c.Check() != nil {
			t.Errorf("%s of 1000 levels: %v, %v", codec, err, c.Check())
		}
		for what, v := range map[string]any{
			"a list too deep":       deep(1500),
			"one level too deep":    deep(1001),
			"content too deep":      packed(strings.Repeat("\x91", 1500) + "\xc0"),
			"content that is none":  packed("\xc1"),
			"raw JSON too deep":     json.RawMessage(strings.Repeat("[", 1500) + strings.Repeat("]", 1500)),
			"hidden JSON too deep":  []json.RawMessage{json.RawMessage(strings.Repeat("[", 1500) + strings.Repeat("]", 1500))},
			"hidden JSON, no UTF-8": map[string]json.RawMessage{"a": json.RawMessage("\"\xff\"")},
		} {
			if codec == deferred.TypeMessagePack && strings.HasPrefix(what, "hidden") {
				continue // which takes it for bytes
			}
			if _, err := deferred.EncodeAs(codec, v); err == nil {
				t.Errorf("%s of %s was taken", codec, what)
			}
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	tree := map[string]any{}
	for i := range 20 {
		tree[fmt.Sprint(i)] = []any{1, "two", map[string]any{"three": 3}}
	}
	for name, v := range map[string]any{"flat": struct{ A, B int }{1, 2}, "picture": samplePicture(), "any": tree} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := deferred.Encode(v); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
