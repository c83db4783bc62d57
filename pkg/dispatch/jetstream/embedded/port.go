package embedded

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// PortTakenError says that another program listens on the address.
type PortTakenError struct {
	Addr    string
	PID     int    // the process that listens there; 0 if unknown
	Program string // its name
}

func (e *PortTakenError) Error() string {
	by := "another program"
	if e.PID != 0 {
		by = fmt.Sprintf("%s (process %d)", e.Program, e.PID)
	}
	return fmt.Sprintf("embedded: %s is taken by %s; choose another address (--listen HOST:PORT), or connect to the server there", e.Addr, by)
}

// checkPort finds out whether the address is free. The server would only log
// that it is not, and after it had read the store.
func checkPort(ctx context.Context, addr string) error {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		pid, program := listener(addr)
		return &PortTakenError{Addr: addr, PID: pid, Program: program}
	}
	if err != nil {
		return fmt.Errorf("embedded: listen: %w", err)
	}
	return l.Close()
}

// listener names the process that listens on the port of addr, as far as /proc
// knows and this user may see. Addresses are not compared, so when several
// processes listen on the port it names none rather than the wrong one.
func listener(addr string) (pid int, program string) {
	_, port, _ := net.SplitHostPort(addr)
	sockets := map[string]bool{}
	for _, table := range []string{"/proc/self/net/tcp", "/proc/self/net/tcp6"} {
		listeningSockets(table, port, sockets)
	}
	owners := socketOwners(sockets)
	if len(owners) != 1 {
		return 0, ""
	}
	for dir := range owners {
		comm, err := os.ReadFile(filepath.Join(dir, "comm"))
		if err != nil {
			return 0, ""
		}
		pid, _ = strconv.Atoi(filepath.Base(dir))
		program = strings.TrimSpace(string(comm))
	}
	return pid, program
}

// listeningSockets collects the sockets that listen on a port, as the links of
// their descriptors read. The columns of the table are: entry, local address,
// remote address, state (0A is listening), four more, user, timeout, inode.
func listeningSockets(table, port string, sockets map[string]bool) {
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return
	}
	suffix := fmt.Sprintf(":%04X", n)
	f, err := os.Open(table)
	if err != nil {
		return
	}
	defer func() { _ = f.Close() }()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		col := strings.Fields(lines.Text())
		if len(col) > 9 && col[3] == "0A" && strings.HasSuffix(col[1], suffix) {
			sockets["socket:["+col[9]+"]"] = true
		}
	}
}

// socketOwners are the /proc directories of the processes that have a socket.
func socketOwners(sockets map[string]bool) map[string]bool {
	owners := map[string]bool{}
	if len(sockets) == 0 {
		return owners
	}
	fds, err := filepath.Glob("/proc/[0-9]*/fd/*")
	if err != nil {
		return owners
	}
	for _, fd := range fds {
		if link, err := os.Readlink(fd); err == nil && sockets[link] {
			owners[filepath.Dir(filepath.Dir(fd))] = true
		}
	}
	return owners
}
