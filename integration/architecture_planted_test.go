package integration

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A guard that finds nothing may be looking at nothing, so here it is shown
// what it is for.
func TestArchitectureGuardCatchesWhatIsPlanted(t *testing.T) {
	tests := map[string]struct {
		file, source string
		want         []string // nothing: allowed
	}{
		"deferred imports the module": {
			"pkg/deferred/a.go", `import "zasync/pkg/dispatch"`,
			[]string{"pkg/deferred/a.go: must not import zasync/pkg/dispatch"},
		},
		"deferred imports another library": {
			"pkg/deferred/a.go", `import "github.com/oklog/ulid/v2"`,
			[]string{"pkg/deferred/a.go: must not import github.com/oklog/ulid/v2"},
		},
		"deferred imports its codec":     {"pkg/deferred/a.go", `import "github.com/vmihailenco/msgpack/v5"`, nil},
		"deferred is tested over memory": {"pkg/deferred/a_test.go", `import ("zasync/pkg/deferred"; "zasync/pkg/dispatch"; "zasync/pkg/dispatch/memory"; "pgregory.net/rapid")`, nil},
		"deferred is tested over NATS": {
			"pkg/deferred/a_test.go", `import "github.com/nats-io/nats.go"`,
			[]string{"pkg/deferred/a_test.go: must not import github.com/nats-io/nats.go"},
		},
		"dispatch imports workerpool": {
			"pkg/dispatch/a.go", `import "zasync/pkg/workerpool"`,
			[]string{"pkg/dispatch/a.go: must not import zasync/pkg/workerpool"},
		},
		"dispatch is tested with workerpool": {
			"pkg/dispatch/a_test.go", `import "zasync/pkg/workerpool"`,
			[]string{"pkg/dispatch/a_test.go: must not import zasync/pkg/workerpool"},
		},
		"dispatch imports an implementation": {
			"pkg/dispatch/a.go", `import "zasync/pkg/dispatch/memory"`,
			[]string{"pkg/dispatch/a.go: must not import zasync/pkg/dispatch/memory"},
		},
		"dispatch imports NATS": {
			"pkg/dispatch/a.go", `import natsjs "github.com/nats-io/nats.go/jetstream"`,
			[]string{"pkg/dispatch/a.go: must not import github.com/nats-io/nats.go/jetstream"},
		},
		"memory imports its seams": {"pkg/dispatch/memory/a.go", `import ("zasync/pkg/deferred"; "zasync/pkg/dispatch")`, nil},
		"memory imports NATS": {
			"pkg/dispatch/memory/a.go", `import "github.com/nats-io/nuid"`,
			[]string{"pkg/dispatch/memory/a.go: must not import github.com/nats-io/nuid"},
		},
		"the web page imports JetStream": {
			"pkg/dispatch/webui/a.go", `import "zasync/pkg/dispatch/jetstream"`,
			[]string{"pkg/dispatch/webui/a.go: must not import zasync/pkg/dispatch/jetstream"},
		},
		"embedded imports the server": {"pkg/dispatch/jetstream/embedded/a.go", `import ("zasync/pkg/dispatch/jetstream"; "github.com/nats-io/nats-server/v2/server")`, nil},
		"jetstream imports workerpool": {
			"pkg/dispatch/jetstream/a.go", `import "zasync/pkg/workerpool"`,
			[]string{"pkg/dispatch/jetstream/a.go: must not import zasync/pkg/workerpool"},
		},
		"a neighbour by name": {
			"pkg/dispatch/jetstreamer/a.go", `import "github.com/nats-io/nats.go"`,
			[]string{"pkg/dispatch/jetstreamer/a.go: must not import github.com/nats-io/nats.go"},
		},
		"workerpool imports dispatch": {
			"pkg/workerpool/a.go", `import "zasync/pkg/dispatch"`,
			[]string{"pkg/workerpool/a.go: must not import zasync/pkg/dispatch"},
		},
		"workerpool below imports workerpool": {"pkg/workerpool/execs/a.go", `import "zasync/pkg/workerpool"`, nil},
		"a command imports all":               {"cmd/zworker/a.go", `import ("zasync/pkg/workerpool"; "zasync/pkg/dispatch/jetstream/embedded"; "github.com/nats-io/nats.go")`, nil},
		"a package without a place": {
			"pkg/cron/a.go", ``,
			[]string{"pkg/cron/a.go: no law says what a package here may import"},
		},
		"an interface of seven methods": {
			"pkg/dispatch/a.go", `type Wide interface { A(); B(); C(); D(); E(); F(); G() }`,
			[]string{"pkg/dispatch: interface Wide has 7 methods, more than 6"},
		},
		"an interface widened by another": {
			"pkg/dispatch/a.go", `type Half interface { A(); B(); C(); D() }; type Wide interface { Half; E(); F(); G() }`,
			[]string{"pkg/dispatch: interface Wide has 7 methods, more than 6"},
		},
		"an interface of six methods":      {"pkg/dispatch/a.go", `type Fit interface { A(); B(); C(); D(); E(); F() }`, nil},
		"a wide interface of its own file": {"pkg/dispatch/a.go", `type wide interface { A(); B(); C(); D(); E(); F(); G() }`, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			source := "// Package a is planted.\npackage a\n\n" + tt.source
			got := violations(map[string]string{tt.file: source})
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("violations (-want +got):\n%s", diff)
			}
		})
	}
}

func TestArchitectureGuardCatchesPackages(t *testing.T) {
	got := violations(map[string]string{
		"pkg/dispatch/a.go":               "package dispatch",
		"pkg/dispatch/a_test.go":          "package dispatch_test",
		"pkg/dispatch/memory/a.go":        "package memory\ntype Wide interface { Half; E(); F(); G() }",
		"pkg/dispatch/memory/b.go":        "package memory\ntype Half interface { A(); B(); C(); D() }",
		"pkg/dispatch/memory/doc.go":      "// Package memory is in another file.\npackage memory",
		"pkg/dispatch/helpers/a.go":       "// Package helpers helps.\npackage helpers",
		"pkg/dispatch/shared/a_test.go":   "// Package shared is shared by tests.\npackage shared_test",
		"pkg/dispatch/driver/a.go":        "package",
		"pkg/workerpool/types/unnamed.go": "package types",
	})
	want := []string{
		"pkg/dispatch/driver/a.go:1:8: expected 'IDENT', found 'EOF'",
		"pkg/dispatch: no file has a package comment",
		"pkg/dispatch/helpers: a package must not be called helpers",
		"pkg/dispatch/memory: interface Wide has 7 methods, more than 6",
		"pkg/dispatch/shared: a package must not be called shared",
		"pkg/workerpool/types: a package must not be called types",
		"pkg/workerpool/types: no file has a package comment",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("violations (-want +got):\n%s", diff)
	}
}
