// Package webhook lets promises be settled over HTTP: by a person's click, or by
// another system's callback.
//
// [Handler] is to be mounted under a path of any program that has a queue:
//
//	mux.Handle("/promises/", http.StripPrefix("/promises", webhook.Handler(queue)))
//
// Then POST /promises/resolve with the token as "Authorization: Bearer TOKEN" and
// the value as the body resolves the promise, and POST /promises/reject rejects
// it with the failure {"kind":"...","message":"..."}. The token is the only
// authority that is asked for, and stands in a header because paths are logged.
package webhook

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"

	"zasync/pkg/deferred"
)

// Handler settles the promises of a ledger. It answers 200 when the outcome is
// the one that counts, 409 with the outcome that came first, be it an equal one,
// 404 to a token that is none, 400 to what cannot be a value, and 413 to more than
// [deferred.MaxResultSize] bytes.
func Handler(l deferred.Ledger) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("POST /resolve", settles(l, deferred.Resolve))
	mux.Handle("POST /reject", settles(l, deferred.Reject))
	return mux
}

func settles(l deferred.Ledger, verb deferred.Verb) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		c := deferred.Command{Verb: verb, Token: deferred.PromiseToken(token)}
		if c.ID = c.Token.ID(); !ok || c.Token.Check() != nil {
			answer(w, deferred.ErrToken)
			return
		}
		err := readBody(w, r, &c)
		if err == nil {
			err = l.Do(r.Context(), c)
		}
		answer(w, err)
	}
}

// readBody reads the value, in whatever type it comes, or the failure.
func readBody(w http.ResponseWriter, r *http.Request, c *deferred.Command) error {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, deferred.MaxResultSize))
	if err != nil {
		return err
	}
	if c.Verb == deferred.Reject {
		var f deferred.Failure
		if err := json.Unmarshal(body, &f); err != nil || f.Message == "" {
			return &deferred.InputError{Field: deferred.FieldResult, Rule: `of a rejection must be JSON such as {"kind":"refused","message":"too dear"}`}
		}
		if f.Kind == "" {
			f.Kind = deferred.KindRejected
		}
		c.Failure = &deferred.Failure{Kind: f.Kind, Message: f.Message}
		return nil
	}
	if len(body) > 0 {
		c.Result = deferred.Content{Type: r.Header.Get("Content-Type"), Data: body}
		if c.Result.Type == "" || strings.HasPrefix(c.Result.Type, "application/x-www-form-urlencoded") { // what clients say when they are told nothing
			c.Result.Type = deferred.TypeJSON
		}
	}
	return nil
}

// outcome is the body of an answer.
type outcome struct {
	State   deferred.State    `json:"state,omitempty"`
	Result  json.RawMessage   `json:"result,omitempty"`
	Failure *deferred.Failure `json:"failure,omitempty"`
	Error   string            `json:"error,omitempty"`
}

func answer(w http.ResponseWriter, err error) {
	status, body := http.StatusOK, outcome{}
	var settled *deferred.SettledError
	var input *deferred.InputError
	var size *deferred.SizeError
	var tooMuch *http.MaxBytesError
	switch {
	case err == nil:
	case errors.As(err, &settled):
		status, body = http.StatusConflict, outcome{State: settled.State, Failure: settled.Outcome.Failure}
		body.Result, _ = settled.Outcome.Result.JSON() // what has no JSON form is left out
	case errors.Is(err, deferred.ErrToken), errors.Is(err, deferred.ErrNotFound):
		status = http.StatusNotFound
	case errors.As(err, &input):
		status = http.StatusBadRequest
	case errors.As(err, &size), errors.As(err, &tooMuch):
		status = http.StatusRequestEntityTooLarge
	default:
		status = http.StatusServiceUnavailable
	}
	if err != nil {
		body.Error = err.Error()
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // a client that is gone is told nothing
}
