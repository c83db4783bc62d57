package integration

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "zasync"

// A law says what the non-test files of some packages may import. Patterns are
// those of the go command: a/... is a and all below it.
type law struct {
	of     string   // the packages
	own    []string // what of this module; itself is nothing, so a subtree names itself
	others []string // what of other modules; nil is all but NATS
	nats   bool     // NATS besides
}

// laws is the house: the first that fits a package is its law, and a package
// that none fits has no place in it.
var laws = []law{
	{of: "pkg/deferred", others: []string{"github.com/vmihailenco/msgpack/..."}},
	{of: "pkg/dispatch", own: []string{"pkg/deferred", "pkg/dispatch/driver", "pkg/dispatch/internal/..."}},
	{of: "pkg/dispatch/driver", own: []string{"pkg/deferred"}},
	{of: "pkg/dispatch/driver/drivertest", own: []string{"pkg/deferred", "pkg/dispatch/driver"}},
	{of: "pkg/dispatch/internal/complaints"},
	{of: "pkg/dispatch/internal/liveness", own: []string{"pkg/deferred", "pkg/dispatch/driver", "pkg/dispatch/internal/complaints"}},
	{of: "pkg/dispatch/internal/wire", own: []string{"pkg/deferred", "pkg/dispatch/driver"}},
	{of: "pkg/dispatch/internal/protocol", own: []string{"pkg/deferred", "pkg/dispatch/driver", "pkg/dispatch/internal/liveness", "pkg/dispatch/internal/wire"}},
	{of: "pkg/dispatch/internal/records", own: []string{"pkg/deferred", "pkg/dispatch/driver", "pkg/dispatch/internal/liveness", "pkg/dispatch/internal/protocol", "pkg/dispatch/internal/wire"}},
	{of: "pkg/dispatch/internal/maintenance", own: []string{"pkg/deferred", "pkg/dispatch/driver", "pkg/dispatch/internal/liveness", "pkg/dispatch/internal/records"}},
	{of: "pkg/dispatch/internal/suite", own: []string{"pkg/deferred", "pkg/dispatch", "pkg/dispatch/driver/...", "pkg/dispatch/internal/wire", "pkg/dispatch/internal/liveness"}},
	{of: "pkg/dispatch/jetstream/...", own: []string{"pkg/deferred", "pkg/dispatch", "pkg/dispatch/driver", "pkg/dispatch/internal/complaints", "pkg/dispatch/jetstream/..."}, nats: true},
	{of: "pkg/dispatch/memory", own: []string{"pkg/deferred", "pkg/dispatch", "pkg/dispatch/driver"}},
	{of: "pkg/dispatch/...", own: []string{"pkg/deferred"}},
	{of: "pkg/workerpool/...", own: []string{"pkg/deferred", "pkg/workerpool/..."}},
	{of: "pkg/ztest/...", own: []string{"..."}, nats: true},
	{of: "cmd/...", own: []string{"..."}, nats: true},
	{of: "integration/...", own: []string{"..."}, nats: true},
	{of: "examples/...", own: []string{"..."}, nats: true},
	{of: "bench/...", own: []string{"..."}, nats: true},
}

// inTests is what of this module every test may import besides: its own package,
// and a queue in memory, which is worth nothing without the package that drives it.
var inTests = []string{"pkg/dispatch", "pkg/dispatch/memory", "pkg/dispatch/driver/...", "pkg/dispatch/internal/..."}

// natsModules are those of NATS and of its makers.
var natsModules = []string{"github.com/nats-io/...", "github.com/synadia-io/..."}

// Names that say nothing about what is inside.
var emptyNames = []string{"util", "utils", "common", "shared", "helper", "helpers", "types", "models"}

// maxMethods is how wide an exported interface may be.
const maxMethods = 6

func TestTreeFollowsItsArchitecture(t *testing.T) {
	sources, err := readTree("..")
	if err != nil {
		t.Fatal(err)
	}
	if len(sources) == 0 {
		t.Fatal("no Go file found")
	}
	for _, v := range violations(sources) {
		t.Error(v)
	}
}

// readTree reads the Go files below root that the go command would look at, by
// their slashed paths from there.
func readTree(root string) (map[string]string, error) {
	sources := map[string]string{}
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			if file != root && (name == "testdata" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_")) {
				return filepath.SkipDir
			}
			return nil
		}
		if path.Ext(name) != ".go" {
			return nil
		}
		rel, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		data, err := os.ReadFile(file)
		sources[filepath.ToSlash(rel)] = string(data)
		return err
	})
	return sources, err
}

// matches reports whether any of the patterns fits the import path.
func matches(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		tree, isTree := strings.CutSuffix(pattern, "...")
		if !isTree {
			return name == pattern
		}
		return strings.HasPrefix(name+"/", tree)
	})
}
