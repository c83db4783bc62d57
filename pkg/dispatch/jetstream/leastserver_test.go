package jetstream_test

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"

	"zasync/pkg/dispatch/jetstream"

	"github.com/nats-io/nats.go"
)

// pretender is a server of some version that answers pings. It notes the other
// words that it hears.
func pretender(t *testing.T, version string) (url string, heard chan string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	heard = make(chan string, 100)
	go func() {
		defer close(heard)
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer func() { _ = c.Close() }()
		_, _ = fmt.Fprintf(c, "INFO {\"server_id\":\"P\",\"version\":%q,\"max_payload\":1048576,\"headers\":true,\"jetstream\":true}\r\n", version)
		for lines := bufio.NewScanner(c); lines.Scan(); {
			switch word, _, _ := strings.Cut(lines.Text(), " "); word {
			case "PING":
				_, _ = c.Write([]byte("PONG\r\n"))
			case "CONNECT":
			default:
				heard <- lines.Text()
			}
		}
	}()
	return "nats://" + l.Addr().String(), heard
}

func TestServerThatIsTooOldIsRefusedBeforeAnythingIsAskedOfIt(t *testing.T) {
	url, heard := pretender(t, "2.11.9")
	nc, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	_, err = jetstream.Open(patiently(t), nc, jetstream.Config{Logger: quiet})
	var old *jetstream.VersionError
	if !errors.As(err, &old) || !strings.Contains(err.Error(), "2.11.9") || !strings.Contains(err.Error(), jetstream.LeastServer) {
		t.Errorf("got %v, want both versions named", err)
	}
	nc.Close()
	for line := range heard {
		t.Errorf("it was told %q", line)
	}
}
