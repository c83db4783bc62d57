package jetstream

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch"
	"zasync/pkg/dispatch/internal/complaints"

	"github.com/nats-io/nats.go"
)

// Config says where in a NATS account a queue is. The zero Config is valid.
type Config struct {
	// Namespace distinguishes several installations in one account. It has letters,
	// digits, "_" and "-". "" means "zasync".
	Namespace string
	// Lease is how long a worker keeps a delivery without extending it. 0 means the lease
	// of the queue.
	Lease time.Duration
	// Replicas is how many servers keep each stream. 0 means 1.
	Replicas int
	// Domain is the JetStream domain of the queue, if that is not the domain of the
	// server that the client is connected to.
	Domain string
	// APIPrefix replaces "$JS.API" at the start of requests to JetStream. An account
	// needs it that imports these requests from another account. Only one of Domain and
	// APIPrefix may be set.
	APIPrefix string
	// QueueBytes bounds the stream of waiting calls when Open makes it: the server
	// refuses calls beyond the bound. 0 means a share of the available room, so that
	// there is always room for records. A negative value means no bound.
	QueueBytes int64
	// AsideBytes bounds the stream of messages that a worker could not understand, when
	// Open makes it. The server deletes the oldest messages beyond the bound. 0 means 256
	// MiB. Open makes the bound smaller where there is little room.
	AsideBytes int64
	// AsideAge is how long the server keeps messages that a worker could not understand.
	// 0 means 30 days.
	AsideAge time.Duration
	// Remake lets Open make deleted streams again, empty. Without it, Open fails with a
	// [*dispatch.MissingError] if such a stream had more than heartbeats, settings or
	// messages that were set aside.
	Remake bool
	// Queue is the policy of the queue that Open makes. Open sets its Seams.
	Queue dispatch.Config
	// Logger receives warnings and errors about lanes that cannot be served and about
	// missing streams. Nil means slog.Default().
	Logger *slog.Logger
}

var namespaceRule = regexp.MustCompile(`^[A-Za-z0-9_-]{1,32}$`)

func (c Config) withDefaults() (Config, error) {
	c.Namespace = cmp.Or(c.Namespace, "zasync")
	c.Lease = cmp.Or(c.Lease, c.Queue.Lease, dispatch.DefaultLease)
	c.Queue.Lease = cmp.Or(c.Queue.Lease, c.Lease)
	c.Replicas = cmp.Or(c.Replicas, 1)
	c.AsideBytes = cmp.Or(c.AsideBytes, 256<<20)
	c.AsideAge = cmp.Or(c.AsideAge, 30*24*time.Hour)
	c.Logger = cmp.Or(c.Logger, slog.Default())
	c.Queue.Logger = cmp.Or(c.Queue.Logger, c.Logger)
	if !namespaceRule.MatchString(c.Namespace) {
		return c, &deferred.InputError{Field: "namespace", Value: c.Namespace, Rule: `must be 1 to 32 letters, digits, "_" and "-"`}
	}
	return c, c.checkAPI()
}

// fullPayload has room for the largest record: arguments or result in base64, a stack,
// and callbacks.
const fullPayload = 1 << 20

// Open returns the queue of a namespace, and makes its streams if they are missing.
//
//   - A user without the right to look at streams may open the queue too: Open then uses
//     the streams as they are.
//   - Close of the queue leaves nothing on the connection. The connection stays the
//     caller's; a caller that closes it closes its queues too.
//   - While the servers elect a leader, Open tries again until ctx ends. If ctx has no
//     deadline, Open tries for ten seconds.
//   - Open replaces the error handler of the connection by its own, which learns what the
//     server does not permit, and which calls the former one. So the caller must set its
//     error handler before Open.
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
	c.Queue.Seams = b
	return dispatch.New(s, b, c.Queue), nil
}

// OpenPair returns the store and the broker of a namespace, and makes its streams if they
// are missing. It returns a [*SettingError] if a stream has other settings. It returns a
// [*dispatch.MissingError] if a stream was there and is now missing. [Broker.Close]
// closes both.
func OpenPair(ctx context.Context, nc *nats.Conn, c Config) (*Store, *Broker, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, nil, err
	}
	js, err := c.api(nc)
	if err != nil {
		return nil, nil, fmt.Errorf("jetstream: %w", err)
	}
	site := &site{
		names: newNames(&c), config: c, js: js,
		refusals: refusalsOf(nc), inbox: cmp.Or(nc.Opts.InboxPrefix, strings.TrimSuffix(nats.InboxPrefix, ".")) + ".",
	}
	if err := site.insist(ctx); err != nil {
		return nil, nil, err
	}
	x, err := newExchange(nc, site.names)
	if err != nil {
		return nil, nil, err
	}
	wrong := complaints.New(c.Logger)
	x.lookout = newLookout(site, wrong)
	return &Store{names: site.names, exchange: x}, &Broker{site: site, exchange: x, log: c.Logger, wrong: wrong}, nil
}
