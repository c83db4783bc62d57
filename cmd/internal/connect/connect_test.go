package connect

import (
	"log/slog"
	"strings"
	"testing"

	"zasync/pkg/dispatch/jetstream/embedded"
)

func TestSecretsInURLsAreNotShown(t *testing.T) {
	for server, want := range map[string]string{
		"nats://localhost:4222":              "nats://localhost:4222",
		"localhost":                          "nats://localhost",
		"nats://joe:hush@host:4222":          "nats://host:4222",
		"nats://hush@host":                   "nats://host",
		"hush@host":                          "nats://host",
		"tls://joe:hush@a:1, nats://hush@b":  "tls://a:1,nats://b",
		"nats://host:4222/?token=hush":       "nats://host:4222",
		"nats://joe:hu/sh@host":              "(a URL that cannot be read)",
		"nats://joe:hush%zz@host":            "(a URL that cannot be read)",
		"nats://joe:hush@ho\x1b[31mst/":      "(a URL that cannot be read)",
		"nats://joe:hush,more@host:4222":     "(a URL that cannot be read),nats://host:4222",
		"nats://[::1]:4222,nats://127.0.0.1": "nats://[::1]:4222,nats://127.0.0.1",
	} {
		got := Redact(server)
		if got != want || strings.Contains(got, "hu") {
			t.Errorf("Redact(%q) = %q, want %q", server, got, want)
		}
	}
}

func TestErrorOfConnectingSaysWhatToDo(t *testing.T) {
	srv, err := embedded.Start(t.Context(), embedded.Config{Listen: "127.0.0.1:0", User: "joe", Password: "hush"})
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Stop()
	host := strings.TrimPrefix(srv.URL(), "nats://")
	for name, c := range map[string]struct {
		options Options
		want    string
	}{
		"no server":        {Options{Server: "nats://joe:hush@127.0.0.1:1"}, `no NATS server answers at nats://127.0.0.1:1; "zworker dev" starts one`},
		"nobody":           {Options{Server: srv.URL()}, "does not let us in"},
		"wrong password":   {Options{Server: "nats://joe:hush2@" + host}, "does not let us in"},
		"unreadable":       {Options{Server: "nats://joe:hu/sh@" + host}, "cannot be read"},
		"no key":           {Options{TLSCert: "connect.go"}, "--tlscert and --tlskey belong together"},
		"no such creds":    {Options{Server: srv.URL(), Creds: "/nowhere/creds"}, "--creds: open /nowhere/creds"},
		"no such key":      {Options{NKey: "/nowhere/seed"}, "--nkey: open /nowhere/seed"},
		"no such CA":       {Options{Server: srv.URL(), TLSCA: "/nowhere/ca"}, "--tlsca: open /nowhere/ca"},
		"no such place":    {Options{Server: "nats://hush@no.such.host.invalid"}, "no NATS server answers at nats://no.such.host.invalid"},
		"hostile password": {Options{Server: "nats://joe:hush\x1b[0m@" + host}, "cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := c.options.Open(t.Context(), "test", slog.New(slog.DiscardHandler))
			if err == nil {
				s.Close()
				t.Fatal("it connected")
			}
			if !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hu") {
				t.Errorf("got %q, want %q", err, c.want)
			}
		})
	}
}

func TestSessionIsLetInByUserAndPassword(t *testing.T) {
	srv, err := embedded.Start(t.Context(), embedded.Config{Listen: "127.0.0.1:0", User: "joe", Password: "hush"})
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Stop()
	o := Options{Server: srv.URL(), User: "joe", Password: "hush"}
	s, err := o.Open(t.Context(), "test", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
}
