package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"zasync/pkg/deferred"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestWordsAreCountedAcrossPieces(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pieces := rapid.SliceOf(rapid.StringMatching(`[ab \n\t]*`)).Draw(t, "pieces")
		var c counter
		for _, p := range pieces {
			c.count([]byte(p))
		}
		whole := strings.Join(pieces, "")
		want := counts{Lines: int64(strings.Count(whole, "\n")), Words: int64(len(strings.Fields(whole))), Bytes: int64(len(whole))}
		if c.counts != want {
			t.Fatalf("got %+v, want %+v", c.counts, want)
		}
	})
}

func TestScanReadsLargeFiles(t *testing.T) {
	dir := t.TempDir()
	text := strings.Repeat("some words\n", 100_000)
	if err := os.WriteFile(filepath.Join(dir, "large"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	s := scanner{root: root}
	got, err := s.scan(t.Context(), "large")
	got.SHA256 = ""
	if want := (counts{File: "large", Lines: 100_000, Words: 200_000, Bytes: 1_100_000}); err != nil || got != want {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, name := range []string{"missing", "../" + filepath.Base(dir) + "/large"} {
		_, err := s.scan(t.Context(), name)
		if err == nil || !deferred.OutcomeOf(err).Retry.Never {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOnlyFilesThatAreSeenAreFound(t *testing.T) {
	root := fstest.MapFS{
		"a": {Data: []byte("1")}, "b/c": {Data: []byte("12345")}, ".h": {}, ".git/config": {}, "b/.x/y": {},
		"link": {Mode: os.ModeSymlink, Data: []byte("a")},
	}
	found, err := findFiles(root)
	want := &files{names: []string{"a", "b/c"}, largest: 1, size: 5, bytes: 6}
	if err != nil || cmp.Diff(want, found, cmp.AllowUnexported(files{})) != "" {
		t.Errorf("got %+v, %v", found, err)
	}
}

func TestFindingEndsAtTheLimit(t *testing.T) {
	root := fstest.MapFS{}
	for i := range maxFiles + 1 {
		root[string(rune('a'+i%26))+"/"+strings.Repeat("x", i/26+1)] = &fstest.MapFile{}
	}
	found, err := findFiles(root)
	if err != nil || len(found.names) != maxFiles || !found.more {
		t.Errorf("%d files, %v", len(found.names), err)
	}
}

func TestFilesThatCouldNotBeReadAreLeftOutOfTheSum(t *testing.T) {
	got, err := sumUp(t.Context(), []scanned{
		{State: deferred.Succeeded, Result: counts{File: "a", Lines: 1, Words: 2, Bytes: 3}},
		{State: deferred.Failed, Result: counts{Lines: 100}},
	})
	want := totals{Files: 1, Lines: 1, Words: 2, Bytes: 3, Largest: []counts{{File: "a", Lines: 1, Words: 2, Bytes: 3}}}
	if err != nil || cmp.Diff(want, got) != "" {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestSizeIsInTheUnitThatItIsRoundedTo(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 bytes", 1: "1 byte", 999: "999 bytes", 1000: "1.0 kB", 1949: "1.9 kB", 999_949: "999.9 kB", 999_950: "1.0 MB",
		999_949_999: "999.9 MB", 999_950_000: "1.0 GB", 5_000_000_000_000: "5000.0 GB",
	} {
		if got := size(n); got != want {
			t.Errorf("%d reads %q, want %q", n, got, want)
		}
	}
}
