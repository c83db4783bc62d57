// Package terminal shows things to people: tables, progress, and text that came
// from somebody else. Names, messages and results are written by whoever
// submits calls and whoever performs them, so none of it reaches a terminal
// unescaped.
package terminal
