package main

import (
	"slices"
	"strconv"
	"strings"

	"zasync/cmd/internal/cmdline"
	"zasync/pkg/deferred"
)

// readQueues reads default,low or default=3,low=1. The weights are checked; the
// pool serves all queues alike.
func readQueues(text string) ([]string, error) {
	var queues []string
	for part := range strings.SplitSeq(text, ",") {
		name, weight, weighted := strings.Cut(strings.TrimSpace(part), "=")
		if err := deferred.CheckQueue(name); err != nil {
			return nil, cmdline.Usagef("--queues %q: %w", text, err)
		}
		if n, err := strconv.Atoi(weight); weighted && (err != nil || n < 1) {
			return nil, cmdline.Usagef("--queues %q: the weight of %s is not a whole number above 0", text, name)
		}
		if slices.Contains(queues, name) {
			return nil, cmdline.Usagef("--queues %q: %s is named twice", text, name)
		}
		queues = append(queues, name)
	}
	return queues, nil
}
