package integration

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"
)

// What jetstream.conf must say for the promises to hold.
type shipped struct {
	Host                    string
	Port                    int
	MaxPayload              int32
	MaxConsumers            int
	StoreDir                string
	Sync                    time.Duration
	SyncAlways, JetStreamOn bool
}

func TestShippedConfigurationSaysWhatItsCommentsSay(t *testing.T) {
	o := readShipped(t)
	got := shipped{
		Host:         o.Host,
		Port:         o.Port,
		MaxPayload:   o.MaxPayload,
		MaxConsumers: o.JetStreamLimits.DefaultMaxConsumers,
		StoreDir:     o.StoreDir,
		Sync:         o.SyncInterval,
		SyncAlways:   o.SyncAlways,
		JetStreamOn:  o.JetStream,
	}
	want := shipped{
		Host:         "127.0.0.1",
		Port:         4222,
		MaxPayload:   1 << 20,
		MaxConsumers: 10_000,
		StoreDir:     "jetstream-data",
		Sync:         250 * time.Millisecond,
		JetStreamOn:  true,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("jetstream.conf (-want +got):\n%s", diff)
	}
}

func TestShippedConfigurationRunsAServerWithJetStream(t *testing.T) {
	o := readShipped(t)
	o.Port = server.RANDOM_PORT
	o.StoreDir = t.TempDir()
	o.NoSigs, o.NoLog = true, true
	srv, err := server.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	t.Cleanup(func() { srv.Shutdown(); srv.WaitForShutdown() })

	nc, err := nats.Connect(srv.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := natsjs.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.CreateStream(t.Context(), natsjs.StreamConfig{Name: "CALLS"}); err != nil {
		t.Errorf("create a stream: %v", err)
	}
	if got := srv.JetStreamConfig(); got.SyncInterval != 250*time.Millisecond || got.SyncAlways {
		t.Errorf("the server syncs every %s, on every write: %t; want 250ms and not", got.SyncInterval, got.SyncAlways)
	}
}

func readShipped(t *testing.T) *server.Options {
	t.Helper()
	o, err := server.ProcessConfigFile("../jetstream.conf")
	if err != nil {
		t.Fatal(err)
	}
	return o
}
