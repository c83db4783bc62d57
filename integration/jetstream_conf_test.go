package integration

import (
	"regexp"
	"strings"
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

// The roles of the users that are shipped are those of the page, right by right.
func TestShippedUsersHaveTheRightsOfTheProtocol(t *testing.T) {
	_, security, _ := strings.Cut(readDocument(t, "../PROTOCOL.md"), "\n## Security")
	security, _, _ = strings.Cut(security, "\n## ")
	said := map[string]map[string]bool{}
	right := regexp.MustCompile("`([^`]+)`")
	for _, cells := range tableRows(security, 3) {
		role, _, _ := strings.Cut(cells[0], ":")
		if said[role] == nil {
			said[role] = map[string]bool{}
		}
		for i, operation := range []string{"publish ", "subscribe "} {
			for _, m := range right.FindAllStringSubmatch(cells[1+i], -1) {
				said[role][operation+m[1]] = true
			}
		}
	}
	for _, role := range []string{"SUBMITTER", "VIEWER", "WORKER", "OPERATOR"} {
		t.Setenv("ZASYNC_"+role+"_PASSWORD", "secret")
	}
	o, err := server.ProcessConfigFile("../jetstream-users.conf")
	if err != nil {
		t.Fatal(err)
	}
	if len(o.Users) != 4 {
		t.Errorf("%d users are shipped, want the four roles", len(o.Users))
	}
	for _, u := range o.Users {
		got := map[string]bool{}
		for _, s := range u.Permissions.Publish.Allow {
			got["publish "+s] = true
		}
		for _, s := range u.Permissions.Subscribe.Allow {
			if s != "_INBOX_"+u.Username+".>" {
				got["subscribe "+s] = true
			}
		}
		if diff := cmp.Diff(said[u.Username], got); diff != "" {
			t.Errorf("%s (-the page +jetstream-users.conf):\n%s", u.Username, diff)
		}
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
