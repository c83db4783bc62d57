package integration

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"

	"zasync/integration/internal/proc"
	"zasync/pkg/dispatch"
	"zasync/pkg/dispatch/jetstream"
	"zasync/pkg/dispatch/jetstream/embedded"
	"zasync/pkg/workerpool"
)

// roleVariable names the role that this binary plays as a child of itself.
const roleVariable = "ZASYNC_INTEGRATION_ROLE"

// roles are processes that the programs do not give: a server alone, a
// submitter that tells what was acknowledged, workers with tell-tale handlers.
// A role ends by being killed.
var roles = map[string]func(ctx context.Context, args []string) error{
	"server":     serve,
	"submitter":  submitOnAndOn,
	"gatekeeper": keepGates,
	"soaker":     soak,
	"member":     serveMember,
	"clustered":  soakCluster,
}

func TestMain(m *testing.M) {
	if role := os.Getenv(roleVariable); role != "" {
		fmt.Fprintln(os.Stderr, roles[role](context.Background(), os.Args[1:]))
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(programs.dir) // a temporary directory
	os.Exit(code)
}

// role is this binary in a role.
func role(name string, args ...string) proc.Command {
	return proc.Command{Path: os.Args[0], Args: args, Env: []string{roleVariable + "=" + name}}
}

// programs are zworker and zsubmit, built when the first test needs them.
var programs struct {
	sync.Once
	dir string
	err error
}

func buildPrograms() {
	if programs.dir, programs.err = os.MkdirTemp("", "zasync-programs-"); programs.err != nil {
		return
	}
	build := exec.Command("go", "build", "-o", programs.dir, "zasync/cmd/zworker", "zasync/cmd/zsubmit")
	if out, err := build.CombinedOutput(); err != nil {
		programs.err = fmt.Errorf("%w\n%s", err, out)
	}
}

// program is one of them, at home in an empty directory.
func program(t *testing.T, name string, args ...string) proc.Command {
	t.Helper()
	programs.Do(buildPrograms)
	if programs.err != nil {
		t.Fatalf("build the programs: %v", programs.err)
	}
	return proc.Command{Path: filepath.Join(programs.dir, name), Args: args, Env: []string{"HOME=" + t.TempDir()}}
}

// serve is a server and nothing else: it is given an address and a store.
func serve(ctx context.Context, args []string) error {
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	srv, err := embedded.Start(ctx, embedded.Config{Listen: args[0], Store: args[1], Logger: log})
	if err != nil {
		return err
	}
	defer srv.Stop()
	<-ctx.Done()
	return context.Cause(ctx)
}

// join opens the queue of a server that may go away for a while.
func join(ctx context.Context, url string) (*dispatch.Queue, error) {
	nc, err := nats.Connect(url, nats.MaxReconnects(-1), nats.ReconnectWait(reconnectWait))
	if err != nil {
		return nil, err
	}
	return jetstream.Open(ctx, nc, jetstream.Config{})
}

// work is a worker with handlers of a test's own.
func work(ctx context.Context, url string, pool *workerpool.Pool) error {
	q, err := join(ctx, url)
	if err != nil {
		return err
	}
	pool.Source = q
	return pool.Run(ctx)
}
