// Package suite is the behaviour of a queue over any pair of seams, as code: the tests
// of packages memory and jetstream run it, each over its own pair.
//
// A rig is one case: a queue, and workers that the case moves by hand. The suites
// wait for each event with a deadline far beyond any reasonable delay. Of time they
// assert only that no event comes too early, so that a slow machine fails no test.
package suite
