package jetstream_test

import (
	"io"
	"net"
	"sync"
	"testing"
)

// line is what a client and a server are connected by. It can be cut, so that
// neither hears the other's last words.
type line struct {
	listener net.Listener
	through  sync.RWMutex // locked: nothing comes through, and neither end knows

	mu     sync.Mutex
	target string
	dead   bool
	ends   []net.Conn
}

func newLine(t *testing.T, target string) *line {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &line{listener: listener, target: target}
	t.Cleanup(func() { _ = listener.Close(); l.cut() })
	go l.run()
	return l
}

func (l *line) url() string { return "nats://" + l.listener.Addr().String() }

func (l *line) run() {
	for {
		client, err := l.listener.Accept()
		if err != nil {
			return
		}
		l.connect(client)
	}
}

func (l *line) connect(client net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	server, err := net.Dial("tcp", l.target)
	if l.dead || err != nil {
		_ = client.Close()
		if err == nil {
			_ = server.Close()
		}
		return
	}
	l.ends = append(l.ends, client, server)
	go l.pass(client, server)
	go l.pass(server, client)
}

func (l *line) pass(to, from net.Conn) {
	_, _ = io.Copy(passage{l, to}, from)
	_ = to.Close()
}

type passage struct {
	*line
	to io.Writer
}

func (p passage) Write(b []byte) (int, error) {
	p.through.RLock()
	defer p.through.RUnlock()
	return p.to.Write(b)
}

func (l *line) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dead = true
	for _, c := range l.ends {
		_ = c.Close()
	}
	l.ends = nil
}

func (l *line) mend() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dead = false
}
