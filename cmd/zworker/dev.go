package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"zasync/cmd/internal/cmdline"
	"zasync/cmd/internal/connect"
	"zasync/cmd/internal/democalls"
	"zasync/pkg/dispatch/jetstream"
	"zasync/pkg/dispatch/jetstream/embedded"
	"zasync/pkg/workerpool"

	"github.com/nats-io/nats.go"
	"github.com/urfave/cli/v2"
)

type devOptions struct {
	streams
	server    embedded.Config
	namespace string
	remake    bool
	slots     int
	log       *slog.Logger
}

const devListen = "127.0.0.1:4222"

func devCommand(s streams) *cli.Command {
	return &cli.Command{
		Name: "dev", Usage: "run a server and a worker on this machine", ArgsUsage: " ",
		Description: `A NATS server with JetStream and a worker, in one process that nothing but this machine
reaches. What is submitted stays in the store until the next time.

  zworker dev
  zsubmit call demo/add '[1,2,3]' --wait        (in another terminal)

It performs:

` + democalls.Help,
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "store", Usage: "keep everything in `DIR`", DefaultText: "zasync/store in the user's data directory"},
			&cli.StringFlag{Name: "listen", Usage: "let NATS clients connect to `HOST:PORT`", Value: devListen},
			slotsFlag(),
			&cli.StringFlag{Name: "durability", Usage: "`WHAT` a power cut may take: normal (the last 250ms) or strict (nothing)", Value: string(embedded.Normal)},
			connect.NamespaceFlag(),
			connect.RemakeFlag(),
		}, logFlags("info")...),
		Action: func(c *cli.Context) error {
			o, err := readDev(c, s)
			if err != nil {
				return err
			}
			return unlessStopped(c.Context, o.run(c.Context))
		},
	}
}

func readDev(c *cli.Context, s streams) (o devOptions, err error) {
	o = devOptions{streams: s, remake: c.Bool("remake")}
	if err := noArguments(c); err != nil {
		return o, err
	}
	if o.namespace, err = connect.ReadNamespace(c); err != nil {
		return o, err
	}
	if err := checkListen(c.String("listen")); err != nil {
		return o, err
	}
	o.server = embedded.Config{Listen: c.String("listen"), Store: c.String("store"), Durability: embedded.Durability(c.String("durability"))}
	if d := o.server.Durability; d != embedded.Normal && d != embedded.Strict {
		return o, cmdline.Usagef("--durability %q is neither %s nor %s", d, embedded.Normal, embedded.Strict)
	}
	if o.server.Store == "" {
		if o.server.Store, err = dataDir(); err != nil {
			return o, err
		}
	}
	if o.slots, err = readSlots(c); err != nil {
		return o, err
	}
	o.log, err = readLogger(c, s.err)
	o.server.Logger = serverLog(o.log)
	return o, err
}

func checkListen(addr string) error {
	_, port, err := net.SplitHostPort(addr)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return cmdline.Usagef("--listen %q is not of the form HOST:PORT, with a port from 0 to 65535", addr)
	}
	return nil
}

// dataDir is where the store is unless somebody says otherwise.
func dataDir() (string, error) {
	data := os.Getenv("XDG_DATA_HOME")
	if !filepath.IsAbs(data) { // by the rule of XDG it counts only then
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("say where to keep the store, with --store: %w", err)
		}
		data = filepath.Join(home, ".local", "share")
	}
	return filepath.Join(data, "zasync", "store"), nil
}

func (o *devOptions) run(ctx context.Context) error {
	srv, err := embedded.Start(ctx, o.server)
	if err != nil {
		return explainStart(err)
	}
	defer srv.Stop()
	nc, err := srv.Connect(append(connect.Staying(listener{o.log, srv.URL()}), nats.Name("zworker dev"))...)
	if err != nil {
		return err
	}
	defer nc.Close()
	q, err := jetstream.Open(ctx, nc, jetstream.Config{Namespace: o.namespace, Remake: o.remake, Logger: o.log})
	if err != nil {
		return err
	}
	defer q.Close()
	var mux workerpool.Mux
	democalls.Register(&mux)
	o.say(srv.URL(), mux.Names())
	stop := context.AfterFunc(ctx, func() {
		o.printf("stopping; running calls have %s to end, Ctrl-C again stops at once\n", workerpool.DefaultGrace)
	})
	defer stop()
	pool := workerpool.Pool{Source: q, Mux: &mux, Slots: o.slots, Logger: o.log}
	if err := pool.Run(ctx); err != nil {
		return fmt.Errorf("worker: %w", err)
	}
	o.printf("stopped; what has not ended is in the store\n")
	return nil
}

func explainStart(err error) error {
	var exposed *embedded.ExposedError
	if errors.As(err, &exposed) {
		return cmdline.Usagef("dev is for this machine only, and others could reach %s; "+
			"for them start a NATS server with jetstream.conf, and workers with \"zworker run\"", exposed.Listen)
	}
	return err
}

// say tells what runs where, and how to use it.
func (o *devOptions) say(url string, names []string) {
	server := ""
	if url != nats.DefaultURL {
		server = " --server " + url
	}
	if o.namespace != "" && o.namespace != "zasync" {
		server += " --namespace " + o.namespace
	}
	o.printf("server   %s, NATS with JetStream\n", url)
	o.printf("store    %s, %s durability\n", o.server.Store, o.server.Durability)
	o.printf("worker   %d slots, queue default: %s\n", o.slots, strings.Join(names, ", "))
	o.printf("submit   zsubmit call demo/add '[1,2,3]' --wait%s\n", server)
	o.printf("stop     Ctrl-C\n")
}
