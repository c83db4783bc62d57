package main

import (
	"slices"
	"strings"

	"zasync/cmd/internal/cmdline"
	"zasync/pkg/deferred"
)

// readQueues reads default,low. The pool serves all queues alike, so weights, as
// in default=3,low=1, are refused: they would seem to count.
func readQueues(text string) ([]string, error) {
	var queues []string
	weights := false
	for part := range strings.SplitSeq(text, ",") {
		name, _, weighted := strings.Cut(strings.TrimSpace(part), "=")
		if err := deferred.CheckQueue(name); err != nil {
			return nil, cmdline.Usagef("--queues %q: %w", text, err)
		}
		weights = weights || weighted
		if slices.Contains(queues, name) {
			return nil, cmdline.Usagef("--queues %q: %s is named twice", text, name)
		}
		queues = append(queues, name)
	}
	if weights {
		return nil, cmdline.Usagef("--queues %q: weights have no effect yet, all queues are served alike; write --queues %s", text, strings.Join(queues, ","))
	}
	return queues, nil
}
