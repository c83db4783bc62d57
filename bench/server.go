package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"time"

	"zasync/pkg/dispatch/jetstream/embedded"
)

// serveCommand as the first argument makes this program the server.
const serveCommand = "serve"

// A server is a process of its own, so that neither its garbage nor its locks
// are those of the code that is measured.
type server struct {
	url     string
	version string // known once somebody has connected
	process *exec.Cmd
	input   io.WriteCloser // its end is the server's
	output  *bufio.Reader
}

func startServer(ctx context.Context, durability, profile string) (*server, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("server: %w", err)
	}
	s := &server{process: exec.CommandContext(ctx, self, serveCommand, durability, profile)} //nolint:gosec // this program
	s.process.Stderr = os.Stderr
	input, err := s.process.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("server: %w", err)
	}
	s.input = input
	// The end of the context is a wish to stop, and the store is to be removed.
	s.process.Cancel = input.Close
	output, err := s.process.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("server: %w", err)
	}
	if err := s.process.Start(); err != nil {
		return nil, fmt.Errorf("server: %w", err)
	}
	s.output = bufio.NewReader(output)
	if s.url, err = s.says(); err != nil {
		s.stop()
		return nil, fmt.Errorf("server: it does not start: %w", err)
	}
	return s, nil
}

func (s *server) says() (string, error) {
	line, err := s.output.ReadString('\n')
	return strings.TrimSpace(line), err
}

// cpuTime asks the server what it has used so far.
func (s *server) cpuTime() (time.Duration, error) {
	if _, err := io.WriteString(s.input, "\n"); err != nil {
		return 0, fmt.Errorf("server: %w", err)
	}
	line, err := s.says()
	if err != nil {
		return 0, fmt.Errorf("server: %w", err)
	}
	return time.ParseDuration(line)
}

func (s *server) stop() {
	_ = s.input.Close()
	_ = s.process.Wait() // it has been used, so how it ends is of no interest
}

// serve is the server's process: it listens on a free port and prints its
// address, then, for each line that it reads, how much CPU time it has used. It
// ends with its input, so also with the process that started it.
func serve(args []string) int {
	signal.Ignore(os.Interrupt) // meant for that process
	if err := serveInput(args[0], args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "bench: server:", err)
		return 1
	}
	return 0
}

func serveInput(durability, profileFile string) error {
	s, err := embedded.Start(context.Background(), embedded.Config{
		Listen: "127.0.0.1:0", Durability: embedded.Durability(durability),
	})
	if err != nil {
		return err
	}
	defer s.Stop()
	stop, err := profile(profileFile)
	if err != nil {
		return err
	}
	defer stop()
	fmt.Println(s.URL())
	for input := bufio.NewScanner(os.Stdin); input.Scan(); {
		fmt.Println(cpuTime())
	}
	return nil
}
