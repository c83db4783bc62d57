package embedded_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/nats-io/nats.go"

	"zasync/pkg/dispatch/jetstream/embedded"
)

// childStore names the store of a test binary that was started as a child.
const childStore = "ZASYNC_EMBEDDED_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childStore); dir != "" {
		fmt.Fprintln(os.Stderr, publishForever(dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// publishForever prints what each publish stored, once it is acknowledged.
func publishForever(dir string) error {
	nc, js, err := open(dir)
	if err != nil {
		return err
	}
	defer nc.Close()
	for i := 0; ; i++ {
		body := fmt.Appendf(nil, "call-%d", i)
		ack, err := js.PublishMsg(context.Background(), &nats.Msg{Subject: "calls.one", Data: body})
		if err != nil {
			return err
		}
		fmt.Printf("%d %s\n", ack.Sequence, body)
	}
}

// A child is a process that publishes into an embedded server of its own.
type child struct {
	cmd  *exec.Cmd
	acks *bufio.Scanner
}

func startChild(t *testing.T, dir string) *child {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childStore+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return &child{cmd: cmd, acks: bufio.NewScanner(out)}
}

// next is the next acknowledged publish.
func (c *child) next(t *testing.T) (seq uint64, body string) {
	t.Helper()
	if !c.acks.Scan() {
		t.Fatal("the child ended before it was killed")
	}
	return parseAck(t, c.acks.Text())
}

// kill is kill -9. It gives what had been acknowledged besides until then.
func (c *child) kill(t *testing.T, acked map[uint64]string) {
	t.Helper()
	if err := c.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for c.acks.Scan() {
		seq, body := parseAck(t, c.acks.Text())
		acked[seq] = body
	}
	var exit *exec.ExitError
	if err := c.cmd.Wait(); !errors.As(err, &exit) {
		t.Fatal(err)
	}
}

func parseAck(t *testing.T, line string) (seq uint64, body string) {
	t.Helper()
	if _, err := fmt.Sscanf(line, "%d %s", &seq, &body); err != nil {
		t.Fatalf("child printed %q: %v", line, err)
	}
	return seq, body
}

func TestKillLosesNoAcknowledgedPublish(t *testing.T) {
	dir := t.TempDir()
	c := startChild(t, dir)
	acked := map[uint64]string{}
	for range 500 {
		seq, body := c.next(t)
		acked[seq] = body
	}
	c.kill(t, acked)

	_, js := start(t, embedded.Config{Store: dir})
	stream, err := js.Stream(t.Context(), "CALLS")
	if err != nil {
		t.Fatal(err)
	}
	for seq, body := range acked {
		msg, err := stream.GetMsg(t.Context(), seq)
		if err != nil {
			t.Fatalf("acknowledged publish %d: %v", seq, err)
		}
		if string(msg.Data) != body {
			t.Fatalf("publish %d holds %q, want %q", seq, msg.Data, body)
		}
	}
}

func TestStoreOfAnotherProcessIsLockedUntilThatIsKilled(t *testing.T) {
	dir := t.TempDir()
	c := startChild(t, dir)
	c.next(t)

	srv, err := embedded.Start(t.Context(), embedded.Config{Store: dir})
	var locked *embedded.LockedError
	if !errors.As(err, &locked) {
		t.Fatalf("second start: server %v, error %v; want a LockedError", srv, err)
	}
	if want := (embedded.LockedError{Dir: dir, PID: c.cmd.Process.Pid}); *locked != want {
		t.Errorf("error is %+v, want %+v", *locked, want)
	}

	c.kill(t, map[uint64]string{})
	start(t, embedded.Config{Store: dir})
}
