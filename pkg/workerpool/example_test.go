package workerpool_test

import (
	"context"
	"fmt"
	"log/slog"

	"zasync/pkg/deferred"
	"zasync/pkg/workerpool"
)

func Example() {
	const Greet deferred.Func[string, string] = "greet"

	var mux workerpool.Mux
	workerpool.Register(&mux, Greet, func(_ context.Context, name string) (string, error) {
		return "Hello, " + name + "!", nil
	})

	source := newSource() // in a program, the queue
	call := source.add("greet", deferred.JSON([]byte(`"world"`)))
	ctx, cancel := context.WithCancel(context.Background())
	source.settle = func(deferred.ID) { cancel() }

	pool := workerpool.Pool{Source: source, Mux: &mux, Logger: slog.New(slog.DiscardHandler)}
	if err := pool.Run(ctx); err != nil {
		fmt.Println(err)
	}
	fmt.Println(call.outcome.State, string(call.outcome.Result.Data))
	// Output: succeeded "Hello, world!"
}
