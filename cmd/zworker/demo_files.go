package main

import (
	"fmt"
	"io/fs"
	"strings"
)

const maxFiles = 200

// files are the input of the demo.
type files struct {
	names   []string
	largest int // among the names
	size    int64
	bytes   int64
	more    bool // than maxFiles
}

// findFiles finds regular files, but none that are hidden. What cannot be read
// is left out.
func findFiles(root fs.FS) (*files, error) {
	found := &files{}
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil && name == ".":
			return err
		case err != nil:
			return fs.SkipDir
		case name != "." && strings.HasPrefix(d.Name(), "."):
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case !d.Type().IsRegular():
			return nil
		case len(found.names) == maxFiles:
			found.more = true
			return fs.SkipAll
		}
		return found.add(name, d)
	})
	if err == nil && len(found.names) == 0 {
		err = fmt.Errorf("there is no file to count; name another directory: zworker demo DIR")
	}
	return found, err
}

func (f *files) add(name string, d fs.DirEntry) error {
	info, err := d.Info()
	if err != nil {
		return nil //nolint:nilerr // it has gone meanwhile
	}
	if info.Size() > f.size {
		f.largest, f.size = len(f.names), info.Size()
	}
	f.names = append(f.names, name)
	f.bytes += info.Size()
	return nil
}

func (f *files) String() string {
	switch {
	case f.more:
		return fmt.Sprintf("the first %d files", len(f.names))
	case len(f.names) == 1:
		return "1 file"
	}
	return fmt.Sprintf("%d files", len(f.names))
}

// size is a number of bytes for people. What would round to 1000.0 has the next unit.
func size(n int64) string {
	switch {
	case n < 1000:
		return plural(int(n), "byte")
	case n < 999_950:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	case n < 999_950_000:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%.1f GB", float64(n)/1e9)
}
