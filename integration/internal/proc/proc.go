// Package proc runs programs as processes of their own, so that a test can do to
// them what happens to processes: stop them, end them, kill -9. None outlives
// its test, nor the test binary, however that ends.
package proc

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// A Command is a program with its arguments. It inherits no environment.
type Command struct {
	Path string
	Args []string
	Env  []string
	Dir  string
}

// A Process is a program that was started.
type Process struct {
	Out, Err Output // what it has printed

	t     testing.TB
	cmd   *exec.Cmd
	ended chan struct{} // closed when it has ended
}

// Start starts a program, which is killed when the test ends. If the test fails,
// what it has printed to stderr is shown.
func Start(t testing.TB, c Command) *Process {
	t.Helper()
	p := &Process{t: t, ended: make(chan struct{})}
	p.cmd = &exec.Cmd{
		Path: c.Path, Args: append([]string{c.Path}, c.Args...), Env: append([]string{}, c.Env...), Dir: c.Dir,
		Stdout: &p.Out, Stderr: &p.Err,
		SysProcAttr: &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL},
	}
	started := make(chan error, 1)
	go p.run(started)
	if err := <-started; err != nil {
		t.Fatalf("start %s: %v", c.Path, err)
	}
	t.Cleanup(p.cleanUp)
	return p
}

// run keeps its thread until the process has ended: for the kernel the parent
// is the thread, and its death is what Pdeathsig is about.
func (p *Process) run(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := p.cmd.Start()
	started <- err
	if err == nil {
		_ = p.cmd.Wait() // how it ended is in its state
		close(p.ended)
	}
}

func (p *Process) cleanUp() {
	p.Kill()
	if strings.Contains(p.Err.String(), "DATA RACE") {
		p.t.Errorf("process %d has a data race", p.PID())
	}
	if p.t.Failed() {
		p.t.Logf("process %d, %s, printed:\n%s", p.PID(), strings.Join(p.cmd.Args, " "), p.Err.String())
	}
}

// PID is the number of the process.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Signal sends a signal, which does nothing to a process that has ended.
func (p *Process) Signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Errorf("signal %s to process %d: %v", s, p.PID(), err)
	}
}

// Kill is kill -9. It returns when the process is gone.
func (p *Process) Kill() {
	p.t.Helper()
	p.Signal(os.Kill)
	<-p.ended
}

// An Exit is how a process ended: by itself with a code, or by a signal.
type Exit struct {
	Code   int
	Signal syscall.Signal // 0: none
}

// Wait waits until the process has ended.
func (p *Process) Wait(ctx context.Context) Exit {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-ctx.Done():
		p.t.Fatalf("process %d does not end: %v", p.PID(), context.Cause(ctx))
	}
	if status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return Exit{Signal: status.Signal()}
	}
	return Exit{Code: p.cmd.ProcessState.ExitCode()}
}
