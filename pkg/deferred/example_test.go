package deferred_test

import (
	"context"
	"errors"
	"fmt"

	"zasync/pkg/deferred"
)

// Greet is shared by the program that submits and the one that performs.
const Greet deferred.Func[string, string] = "greet"

func ExampleFunc() {
	// What is to be said beyond the arguments is set on the call.
	call := Greet.Call("world")
	call.Queue = "low"
	call.Callbacks = []deferred.Callback{{On: deferred.OnFailure, Call: deferred.Call{Name: "apologize"}}}
	fmt.Println(call.Name, call.QueueName(), call.RetryLimit(), call.Check())

	call.Name = "greet everybody"
	fmt.Println(call.Check())
	// Output:
	// greet low 10 <nil>
	// deferred: name "greet everybody" must be of letters, digits, "_", "-" and "/" only
}

func ExampleGo() {
	ctx := context.Background()
	d := deferred.Go(ctx, func(ctx context.Context) (string, error) {
		err := deferred.Report(ctx, deferred.Progress{Done: 1, Total: 1, Message: "greeted"})
		return "hello, world", err
	})

	greeting, err := Greet.Await(ctx, d)
	fmt.Println(greeting, err)
	for note, err := range d.Annotations(ctx) {
		fmt.Println(note.Key, string(note.Value), err)
	}
	// Output:
	// hello, world <nil>
	// progress {"done":1,"total":1,"message":"greeted"} <nil>
}

func ExampleRejected() {
	ctx := context.Background()
	d := deferred.Rejected(errors.New("nobody there"))

	_, err := Greet.Await(ctx, d)
	var failure *deferred.Failure
	fmt.Println(errors.As(err, &failure), err)
	// Output: true nobody there
}

func ExampleDeferred_Cancel() {
	ctx := context.Background()
	d := deferred.Go(ctx, func(ctx context.Context) (string, error) {
		<-ctx.Done() // told at once
		return "", context.Cause(ctx)
	})
	fmt.Println(d.Cancel(ctx, "changed my mind"))

	_, err := Greet.Await(ctx, d)
	fmt.Println(err, errors.Is(err, deferred.ErrCancelled))
	// Output:
	// <nil>
	// cancelled: changed my mind true
}

func ExampleContent_JSON() {
	content, err := deferred.Encode(map[string]any{"pages": 3})
	if err != nil {
		fmt.Println(err)
		return
	}
	text, err := content.JSON()
	fmt.Println(content.Type, string(text), err)
	// Output: application/msgpack {"pages":3} <nil>
}
