//go:build !race

package memory_test

// everyKept says which operations of the story of what is kept are tried: all.
const everyKept = 1
