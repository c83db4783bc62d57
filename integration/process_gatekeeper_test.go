package integration

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"zasync/integration/internal/proc"
	"zasync/pkg/deferred"
	"zasync/pkg/workerpool"
)

// gate is a call that waits at its worker's gate, whatever happens to its
// context, and returns the worker's name.
const gate deferred.Func[string, string] = "gate"

// keepGates is a worker with one slot. It is given a server, its name, its
// queues, and the directory where a file of its name is its open gate.
func keepGates(ctx context.Context, args []string) error {
	url, name, queues, dir := args[0], args[1], args[2], args[3]
	slog.SetDefault(slog.New(slog.NewTextHandler(os.Stderr, nil)))
	var mux workerpool.Mux
	workerpool.Register(&mux, gate, func(context.Context, string) (string, error) {
		tick := time.NewTicker(glance)
		defer tick.Stop()
		for {
			if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
				return name, nil
			}
			<-tick.C
		}
	})
	return work(ctx, url, &workerpool.Pool{Mux: &mux, Name: name, Slots: 1, Queues: strings.Split(queues, ",")})
}

// gatekeeper starts one, and gives what opens its gate.
func (f *fleet) gatekeeper(name, queues, dir string) (p *proc.Process, open func()) {
	f.t.Helper()
	return proc.Start(f.t, role("gatekeeper", f.url(), name, queues, dir)), func() {
		f.t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			f.t.Fatal(err)
		}
	}
}

// nameIn is what the gate has returned.
func nameIn(r deferred.Record) (name string) {
	_ = r.Result.Decode(&name) // what cannot be decoded is nobody's name
	return name
}
