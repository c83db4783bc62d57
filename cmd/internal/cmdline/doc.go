// Package cmdline is what the programs' command lines have in common: flags may
// stand anywhere, mistakes are answered with the nearest right word, and how a
// program ended is told by its exit code.
package cmdline
