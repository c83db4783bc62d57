// Hello is the README's first program: a caller, a queue and a worker in one
// process, on a NATS server that it brings along.
package main

import (
	"context"
	"fmt"
	"log"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/jetstream"
	"zasync/pkg/dispatch/jetstream/embedded"
	"zasync/pkg/workerpool"
)

const greet deferred.Func[string, string] = "greet"

func main() {
	ctx := context.Background()
	server := must(embedded.Start(ctx, embedded.Config{}))
	defer server.Stop()
	queue := must(jetstream.Open(ctx, must(server.Connect()), jetstream.Config{}))

	var mux workerpool.Mux
	workerpool.Register(&mux, greet, func(_ context.Context, name string) (string, error) {
		return "Hello, " + name + "!", nil
	})
	pool := &workerpool.Pool{Source: queue, Mux: &mux}
	go func() { log.Fatal(pool.Run(ctx)) }()

	d := must(greet.Submit(ctx, queue, "world")) // stored; any process may wait for d.ID()
	fmt.Println(must(greet.Await(ctx, d)))
}

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}
