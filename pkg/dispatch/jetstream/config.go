package jetstream

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"regexp"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch"

	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"
)

// Config says where in a NATS account a queue lives. The zero Config is a good one.
type Config struct {
	// Namespace tells several installations in one account apart: letters,
	// digits, "_" and "-". "" is "zasync".
	Namespace string
	// Lease is how long a delivery is its holder's without a word from it. 0 is
	// the queue's.
	Lease time.Duration
	// Replicas is how many servers keep each stream. 0 is 1.
	Replicas int
	// AsideAge is how long messages that could not be understood are kept. 0 is
	// 30 days.
	AsideAge time.Duration
	// Queue is the policy of the queue that Open makes.
	Queue dispatch.Config
	// Logger is told of lanes that cannot be served. Nil is slog.Default().
	Logger *slog.Logger
}

var namespaceRule = regexp.MustCompile(`^[A-Za-z0-9_-]{1,32}$`)

func (c Config) withDefaults() (Config, error) {
	c.Namespace = cmp.Or(c.Namespace, "zasync")
	c.Lease = cmp.Or(c.Lease, c.Queue.Lease, dispatch.DefaultLease)
	c.Queue.Lease = cmp.Or(c.Queue.Lease, c.Lease)
	c.Replicas = cmp.Or(c.Replicas, 1)
	c.AsideAge = cmp.Or(c.AsideAge, 30*24*time.Hour)
	c.Logger = cmp.Or(c.Logger, slog.Default())
	c.Queue.Logger = cmp.Or(c.Queue.Logger, c.Logger)
	if !namespaceRule.MatchString(c.Namespace) {
		return c, &deferred.InputError{Field: "namespace", Value: c.Namespace, Rule: `must be 1 to 32 letters, digits, "_" and "-"`}
	}
	return c, nil
}

// fullPayload takes the largest record: arguments or result in base64, a stack,
// and callbacks.
const fullPayload = 1 << 20

// Open gives the queue of a namespace, and makes its streams if they are not
// there. The connection stays the caller's, who closes it after the queue's
// last use; its handlers are not touched.
func Open(ctx context.Context, nc *nats.Conn, c Config) (*dispatch.Queue, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	s, b, err := OpenPair(ctx, nc, c)
	if err != nil {
		return nil, err
	}
	if most := nc.MaxPayload(); most < fullPayload {
		c.Logger.Warn("the server's max_payload is small; results and arguments within zasync's limits may not fit", "max_payload", most, "needed", fullPayload)
	}
	return dispatch.New(s, b, c.Queue), nil
}

// OpenPair gives the two seams of a namespace, and makes its streams if they
// are not there. A stream that is there with other settings is refused with a
// [*SettingError].
func OpenPair(ctx context.Context, nc *nats.Conn, c Config) (*Store, *Broker, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, nil, err
	}
	js, err := natsjs.New(nc)
	if err != nil {
		return nil, nil, fmt.Errorf("jetstream: %w", err)
	}
	site := &site{names: newNames(c.Namespace), config: c, js: js}
	if err := site.prepare(ctx); err != nil {
		return nil, nil, err
	}
	x, err := newExchange(nc)
	if err != nil {
		return nil, nil, err
	}
	return &Store{names: site.names, exchange: x}, &Broker{site: site, exchange: x, log: c.Logger}, nil
}
