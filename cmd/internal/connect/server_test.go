package connect

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// startPlain starts a server that is none of ours.
func startPlain(t *testing.T, o server.Options) string {
	t.Helper()
	o.Host, o.Port, o.NoSigs, o.NoLog = "127.0.0.1", server.RANDOM_PORT, true, true
	srv, err := server.NewServer(&o)
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	t.Cleanup(func() {
		srv.Shutdown()
		srv.WaitForShutdown()
	})
	if !srv.ReadyForConnections(time.Minute) {
		t.Fatal("the server is not ready")
	}
	return srv.ClientURL()
}

func TestDomainThatIsNotThereIsNamed(t *testing.T) {
	url := startPlain(t, server.Options{JetStream: true, JetStreamDomain: "hub", StoreDir: t.TempDir()})
	s, err := Options{Server: url, Domain: "hub"}.Open(t.Context(), "test", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	s, err = Options{Server: url, Domain: "hug"}.Open(t.Context(), "test", slog.New(slog.DiscardHandler))
	if err == nil {
		s.Close()
		t.Fatal("it was opened")
	}
	if want := "no JetStream of the domain hug is reached"; !strings.Contains(err.Error(), want) {
		t.Errorf("got %q, want %q", err, want)
	}
}

func TestServerWithoutJetStreamIsToldApart(t *testing.T) {
	o := Options{Server: startPlain(t, server.Options{})}
	s, err := o.Open(t.Context(), "test", slog.New(slog.DiscardHandler))
	if err == nil {
		s.Close()
		t.Fatal("it was opened")
	}
	if want := "has no JetStream for this account; start it with jetstream.conf or with -js"; !strings.Contains(err.Error(), want) {
		t.Errorf("got %q, want %q", err, want)
	}
}

func TestUserWithAnInboxOfItsOwnIsToldHowToNameIt(t *testing.T) {
	own := &server.Permissions{
		Publish:   &server.SubjectPermission{Allow: []string{">"}},
		Subscribe: &server.SubjectPermission{Allow: []string{"_INBOX_joe.>"}},
	}
	o := Options{User: "joe", Password: "hush", Server: startPlain(t, server.Options{
		JetStream: true, StoreDir: t.TempDir(), Users: []*server.User{{Username: "joe", Password: "hush", Permissions: own}},
	})}
	s, err := o.Open(t.Context(), "test", slog.New(slog.DiscardHandler))
	if err == nil {
		s.Close()
		t.Fatal("it was opened")
	}
	if want := "name the inbox that this user has with --inbox-prefix"; !strings.Contains(err.Error(), want) {
		t.Errorf("got %q, want %q", err, want)
	}
	o.Inbox = "_INBOX_joe"
	if s, err = o.Open(t.Context(), "test", slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	s.Close()
}
