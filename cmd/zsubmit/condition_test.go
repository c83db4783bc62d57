package main

import (
	"encoding/json"
	"testing"

	"zasync/pkg/deferred"

	"github.com/urfave/cli/v2"
)

func TestAnnotationIsWaitedForByItsValue(t *testing.T) {
	for _, c := range []struct {
		until string
		value string
		want  bool
	}{
		{"k", `{"any":1}`, true},
		{"k", `null`, true},
		{"k=", `""`, true},
		{"k=3", `3.0`, true},
		{"k=3", `"3"`, false},
		{"k=-0", `0`, true},
		{"k=9007199254740993", `9007199254740992`, false},
		{"k=1e999", `1e999`, true},
		{`k="3"`, `"3"`, true},
		{"k=a=b", `"a=b"`, true},
		{"k=two words", `"two words"`, true},
		{"k=true", `true`, true},
		{"k=true", `"true"`, false},
		{"k=null", `null`, true},
		{`k={"a":[1,{"b":2}],"c":"\u00e4"}`, `{"c":"ä", "a":[1.0,{"b":2}]}`, true},
		{`k={"a":[1,2]}`, `{"a":[2,1]}`, false},
	} {
		command := annotationsCommand(streams{})
		n, err := read(t, command, func(ctx *cli.Context) (condition, error) { return readCondition(ctx, streams{}) }, "id", "--until", c.until)
		if err != nil || n.key != "k" {
			t.Errorf("%s: the key is %q, %v", c.until, n.key, err)
		}
		if got := n.takes(deferred.Note{Key: "k", Value: json.RawMessage(c.value)}); got != c.want {
			t.Errorf("%s takes %s: %t", c.until, c.value, got)
		}
	}
}
