//go:build race

package memory_test

// everyKept: the detector makes a story with large results last ten times as long,
// and sees what it looks for in fewer tellings.
const everyKept = 5
