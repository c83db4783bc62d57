package connect

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"strings"

	"zasync/pkg/dispatch"
	"zasync/pkg/dispatch/jetstream"

	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"
)

// A Session is a queue and the connection under it.
type Session struct {
	*dispatch.Queue
	nc *nats.Conn
}

// Close closes the queue and ends the connection.
func (s *Session) Close() {
	_ = s.Queue.Close() // the connection ends anyway
	s.nc.Close()
}

// Open connects as a client of the given name and opens the queue. Options of
// NATS may be added. The logger is told of what goes wrong on the connection.
func (o Options) Open(ctx context.Context, name string, log *slog.Logger, more ...nats.Option) (*Session, error) {
	s, err := o.open(ctx, name, log, more...)
	if err != nil {
		return nil, o.explain(err)
	}
	return s, nil
}

func (o Options) open(ctx context.Context, name string, log *slog.Logger, more ...nats.Option) (*Session, error) {
	own, err := o.options()
	if err != nil {
		return nil, err
	}
	own = append(own, nats.Name(name), nats.ErrorHandler(func(nc *nats.Conn, _ *nats.Subscription, err error) {
		if nc.IsConnected() { // else a listener is told
			log.Warn("connection", "err", err)
		}
	}))
	nc, err := nats.Connect(o.server(), append(own, more...)...)
	if err != nil {
		return nil, err
	}
	q, err := jetstream.Open(ctx, nc, jetstream.Config{Namespace: o.Namespace, Domain: o.Domain, Remake: o.Remake, Logger: log})
	if err != nil {
		nc.Close()
		return nil, err
	}
	return &Session{Queue: q, nc: nc}, nil
}

// Place is the server for people to read.
func (o Options) Place() string { return Redact(o.server()) }

func (o Options) server() string { return cmp.Or(o.Server, nats.DefaultURL) }

func (o Options) options() ([]nats.Option, error) {
	if err := o.checkFiles(); err != nil {
		return nil, err
	}
	var opts []nats.Option
	if o.Creds != "" {
		opts = append(opts, nats.UserCredentials(o.Creds))
	}
	if o.NKey != "" {
		key, err := nats.NkeyOptionFromSeed(o.NKey)
		if err != nil {
			return nil, fmt.Errorf("--nkey: %w", err)
		}
		opts = append(opts, key)
	}
	if o.User != "" {
		opts = append(opts, nats.UserInfo(o.User, o.Password))
	}
	if o.Token != "" {
		opts = append(opts, nats.Token(o.Token))
	}
	if o.Inbox != "" {
		opts = append(opts, nats.CustomInboxPrefix(o.Inbox))
	}
	if (o.TLSCert == "") != (o.TLSKey == "") {
		return nil, errors.New("--tlscert and --tlskey belong together")
	}
	if o.TLSCert != "" {
		opts = append(opts, nats.ClientCert(o.TLSCert, o.TLSKey))
	}
	if o.TLSCA != "" {
		opts = append(opts, nats.RootCAs(o.TLSCA))
	}
	return opts, nil
}

// checkFiles names the flag of a file that cannot be read, which NATS would not.
func (o Options) checkFiles() error {
	for _, f := range []struct{ flag, file string }{
		{"--creds", o.Creds}, {"--nkey", o.NKey}, {"--tlscert", o.TLSCert}, {"--tlskey", o.TLSKey}, {"--tlsca", o.TLSCA},
	} {
		if f.file == "" {
			continue
		}
		if _, err := os.ReadFile(f.file); err != nil {
			return fmt.Errorf("%s: %w", f.flag, err)
		}
	}
	return nil
}

// explain says what to do about an error. The URL in it may hold a password.
func (o Options) explain(err error) error {
	place := o.Place()
	var malformed *url.Error
	var dial *net.OpError
	var untrusted *tls.CertificateVerificationError
	var refused *dispatch.PermissionError
	switch {
	case errors.As(err, &refused) && refused.Operation == dispatch.Subscribe:
		return fmt.Errorf("the NATS server at %s does not let us hear its answers (%q); name the inbox that this user has with --inbox-prefix", place, refused.Subject)
	case errors.As(err, &malformed):
		return errors.New("--server: the URL cannot be read; it is not shown because it may hold a password")
	case errors.As(err, &untrusted):
		return fmt.Errorf("the NATS server at %s is not trusted (%w); name the authority of its certificate with --tlsca", place, untrusted.Err)
	case errors.Is(err, dispatch.ErrUnavailable):
		return fmt.Errorf("the NATS server at %s does not answer for its streams, as while servers elect a leader; try again (%w)", place, err)
	case errors.Is(err, nats.ErrNoServers), errors.Is(err, nats.ErrTimeout), errors.As(err, &dial):
		return fmt.Errorf("no NATS server answers at %s; \"zworker dev\" starts one, and --server or NATS_URL names another", place)
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired), errors.Is(err, nats.ErrAuthRevoked):
		return fmt.Errorf("the NATS server at %s does not let us in (%w); say who you are with --creds, --nkey, --user and --password, or --token", place, err)
	case o.Domain != "" && (errors.Is(err, natsjs.ErrJetStreamNotEnabled) || errors.Is(err, nats.ErrNoResponders)):
		return fmt.Errorf("no JetStream of the domain %s is reached through the NATS server at %s; name the right one with --js-domain", o.Domain, place)
	case errors.Is(err, natsjs.ErrJetStreamNotEnabled), errors.Is(err, natsjs.ErrJetStreamNotEnabledForAccount), errors.Is(err, nats.ErrNoResponders):
		return fmt.Errorf("the NATS server at %s has no JetStream for this account; start it with jetstream.conf or with -js", place)
	case strings.Contains(err.Error(), o.server()):
		return errors.New(strings.ReplaceAll(err.Error(), o.server(), place))
	}
	return err
}
