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
	// Domain is the JetStream domain that the queue lives in, when that is not the
	// one of the server that the connection leads to.
	Domain string
	// APIPrefix is what requests to JetStream begin with in place of "$JS.API", in
	// an account that imports them from another. Only one of both may be given.
	APIPrefix string
	// QueueBytes bounds the stream of calls that wait, when it is made: what is
	// beyond is refused. 0 is a share of the room that there is, so that records
	// always have theirs; negative is no bound.
	QueueBytes int64
	// AsideBytes bounds the stream of messages that could not be understood, when
	// it is made: the oldest go. 0 is 256 MiB; it becomes less where room is scarce.
	AsideBytes int64
	// AsideAge is how long messages that could not be understood are kept. 0 is
	// 30 days.
	AsideAge time.Duration
	// Remake has Open make streams anew, empty, that somebody has deleted. Else it
	// fails with a [*dispatch.MissingError] where more than heartbeats, settings or
	// messages that were set aside went with them.
	Remake bool
	// Queue is the policy of the queue that Open makes. Its Seams are Open's to set.
	Queue dispatch.Config
	// Logger is told of lanes that cannot be served, and of streams that are missing.
	// Nil is slog.Default().
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

// fullPayload takes the largest record: arguments or result in base64, a stack,
// and callbacks.
const fullPayload = 1 << 20

// Open gives the queue of a namespace, and makes its streams if they are not
// there. Who may not look at streams does not need to: then they are as they are.
// The queue is closed by its Close, and has then nothing left on the connection, which
// stays the caller's: who closes it closes its queues as well. While the servers elect a
// leader it is tried again until ctx ends, for ten seconds where ctx has no end. Of
// its handlers that of errors is put behind one of ours, which learns of what the
// server does not permit: so set yours before.
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

// OpenPair gives the two seams of a namespace, and makes its streams if they
// are not there. A stream that is there with other settings is refused with a
// [*SettingError], and one that was there and is not any more with a
// [*dispatch.MissingError]. [Broker.Close] closes both.
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
