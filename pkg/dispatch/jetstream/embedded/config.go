package embedded

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// Config says how to run a server. The zero value is one in a temporary
// directory that only this process reaches.
type Config struct {
	Store      string       // directory of the streams; "" for a temporary one, removed by Stop
	Listen     string       // HOST:PORT, port 0 for any free one; "" for this process only
	Durability Durability   // "" is Normal
	Token      string       // what clients must show; or
	User       string       // who clients must be, with
	Password   string       // this
	Logger     *slog.Logger // takes the server's log; nil gives slog.Default its warnings and errors only

	// MemoryLimit is the soft limit of the Go heap, in bytes, that the server
	// sets for the whole process until it stops: draining a large backlog makes
	// garbage faster than an unlimited collector takes it away. It is soft, so
	// nothing fails above it. 0 is DefaultMemoryLimit, negative none. A limit
	// that the process has already, and GOMEMLIMIT, always win.
	MemoryLimit int64
}

// DefaultMemoryLimit is the memory limit of a Config that names none.
const DefaultMemoryLimit = 1 << 30

// Durability says what a power cut can take. What was acknowledged survives the
// death of the process either way.
type Durability string

// The durabilities.
const (
	Normal Durability = "normal" // a power cut takes at most the last SyncInterval
	Strict Durability = "strict" // every write is on the disk before it is acknowledged
)

// SyncInterval is how often a server of normal durability syncs its files. The
// server's own default, two minutes, is more than a job system may lose.
const SyncInterval = 250 * time.Millisecond

// maxConsumers is how many consumers a stream may have. Each lane is one, and so
// is each watcher of a bucket; the server's own default of 1000 is soon reached.
const maxConsumers = 10_000

// ExposedError says that the server was to listen where other machines reach it
// and to let anybody in.
type ExposedError struct{ Listen string }

func (e *ExposedError) Error() string {
	return fmt.Sprintf("embedded: on %s other machines could reach the server, and it would let anybody in; "+
		"listen on 127.0.0.1, or set a token, or a user and a password", e.Listen)
}

// options are the server's options for c, but for the store directory.
func (c *Config) options() (*server.Options, error) {
	if err := c.checkCredentials(); err != nil {
		return nil, err
	}
	o := &server.Options{
		ServerName:             "zasync",
		DontListen:             c.Listen == "",
		Authorization:          c.Token,
		Username:               c.User,
		Password:               c.Password,
		JetStream:              true,
		JetStreamLimits:        server.JSLimitOpts{DefaultMaxConsumers: maxConsumers},
		DisableJetStreamBanner: true,
		SyncInterval:           SyncInterval,
		NoSigs:                 true, // signals belong to the program
	}
	switch c.Durability {
	case "", Normal:
	case Strict:
		o.SyncAlways = true
	default:
		return nil, fmt.Errorf("embedded: durability %q is neither %q nor %q", c.Durability, Normal, Strict)
	}
	if o.DontListen {
		return o, nil
	}
	return o, c.listenOptions(o)
}

func (c *Config) listenOptions(o *server.Options) error {
	host, text, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return fmt.Errorf("embedded: listen on %q: want HOST:PORT: %w", c.Listen, err)
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return fmt.Errorf("embedded: listen on %q: want a port from 0 to 65535: %w", c.Listen, err)
	}
	if !isLoopback(host) && c.auth() == nil {
		return &ExposedError{Listen: c.Listen}
	}
	o.Host, o.Port = host, int(port)
	if port == 0 {
		o.Port = server.RANDOM_PORT // the server takes 0 for 4222
	}
	return nil
}

// isLoopback does not resolve names: what a name means can change after it was
// looked at, so every name but localhost counts as reachable.
func isLoopback(host string) bool {
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}

// checkCredentials refuses halves: the server takes a user without a password
// for one whose password is empty.
func (c *Config) checkCredentials() error {
	half := (c.User == "") != (c.Password == "")
	both := c.User != "" && c.Token != ""
	if half || both {
		return errors.New("embedded: credentials are either a token, or a user and a password")
	}
	return nil
}

// auth is how a client shows the credentials, nil if there are none.
func (c *Config) auth() nats.Option {
	switch {
	case c.Token != "":
		return nats.Token(c.Token)
	case c.User != "":
		return nats.UserInfo(c.User, c.Password)
	}
	return nil
}
