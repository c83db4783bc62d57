package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"zasync/cmd/internal/cmdline"
	"zasync/cmd/internal/connect"
	"zasync/pkg/deferred"

	"github.com/urfave/cli/v2"
)

// A condition is an annotation that is waited for.
type condition struct {
	waiting waiting
	key     string          // "": nothing is waited for
	value   json.RawMessage // nil: any
}

func untilFlag() cli.Flag {
	return &cli.StringFlag{Name: "until", Usage: "wait until the annotation `KEY[=VALUE]` is there, and has this value"}
}

// readCondition takes a value that is no JSON for a text: quotes are a nuisance in
// a shell.
func readCondition(c *cli.Context, s streams) (condition, error) {
	w, err := readWaiting(c, s)
	switch {
	case err != nil:
		return condition{}, err
	case !c.IsSet("until") && w.limit > 0:
		return condition{}, cmdline.Usagef("--wait-for needs --until")
	case !c.IsSet("until"):
		return condition{}, nil
	}
	key, value, some := strings.Cut(c.String("until"), "=")
	n := condition{waiting: w, key: key}
	if some {
		if n.value = json.RawMessage(value); !json.Valid(n.value) {
			n.value, _ = json.Marshal(value) // a string
		}
	}
	return n, deferred.Note{Key: key, Value: json.RawMessage("null")}.Check()
}

// await waits until the annotation is there. That the deferred settles without
// it is an end too, with the code of how it ended.
func (n *condition) await(ctx context.Context, q *connect.Session, id deferred.ID) error {
	ctx, cancel := n.waiting.limited(ctx)
	defer cancel()
	if err := known(ctx, q, id); err != nil {
		return n.explain(ctx, id, err)
	}
	stop := warnSoon(ctx, q, id, func(text string) { n.waiting.notef("%s", text) })
	defer stop()
	_, err := q.Open(id).AwaitAnnotation(ctx, n.key, n.takes)
	return n.explain(ctx, id, err)
}

func (n *condition) takes(note deferred.Note) bool {
	return n.value == nil || sameJSON(n.value, note.Value)
}

func (n *condition) explain(ctx context.Context, id deferred.ID, err error) error {
	var settled *deferred.SettledError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &settled):
		code := cmdline.StateCode(settled.State)
		if code == cmdline.Done {
			code = cmdline.Error
		}
		return &cmdline.ExitError{Code: code, Err: fmt.Errorf("%s %s without the annotation %s", id, settled.State, n)}
	case errors.Is(context.Cause(ctx), errGaveUp):
		err = fmt.Errorf("%s does not have the annotation %s after %s; it goes on", id, n, n.waiting.limit)
	case ctx.Err() != nil:
		err = fmt.Errorf("no longer waiting for the annotation %s of %s; it goes on", n, id)
	default:
		return err
	}
	return &cmdline.ExitError{Code: cmdline.GaveUp, Err: err}
}

func (n *condition) String() string {
	if n.value == nil {
		return n.key
	}
	return n.key + "=" + string(n.value)
}

// sameJSON reports whether two JSON texts have the same value, however they
// write it.
func sameJSON(a, b json.RawMessage) bool {
	x, err := decodeExactly(a)
	if err != nil {
		return false
	}
	y, err := decodeExactly(b)
	return err == nil && reflect.DeepEqual(x, y)
}

func decodeExactly(text json.RawMessage) (v any, err error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	err = d.Decode(&v)
	return exactly(v), err
}

// exactly makes 1 and 1.0 the same, but not two integers that only look the same
// as a float64.
func exactly(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k := range v {
			v[k] = exactly(v[k])
		}
	case []any:
		for i := range v {
			v[i] = exactly(v[i])
		}
	case json.Number:
		const whole = 1 << 53
		if f, err := strconv.ParseFloat(string(v), 64); err == nil && -whole < f && f < whole {
			return f
		}
	}
	return v
}
