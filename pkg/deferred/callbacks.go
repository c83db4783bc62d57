package deferred

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// callJSON is a callback as JSON, in the header of a call and in a record. It
// holds its own kind, not [RecordedCallback]: a Marshaler within a Marshaler
// within a Marshaler is read and written again at each level, and 32 KiB can be
// nested 700 deep.
type callJSON struct {
	On        Branch            `json:"on"`
	Kinds     []string          `json:"kinds,omitempty"`
	ID        ID                `json:"id,omitempty"`
	Waiter    bool              `json:"waiter,omitempty"`
	Name      string            `json:"name,omitempty"`
	Queue     string            `json:"queue,omitempty"`
	Args      json.RawMessage   `json:"args,omitempty"`
	ArgsType  string            `json:"args_type,omitempty"`
	Labels    map[string]string `json:"labels,omitempty"`
	NotBefore time.Time         `json:"not_before,omitzero"`
	Delay     string            `json:"delay,omitempty"`
	BeginBy   time.Time         `json:"begin_by,omitzero"`
	Deadline  time.Time         `json:"deadline,omitzero"`
	Timeout   string            `json:"timeout,omitempty"`
	Keep      string            `json:"keep,omitempty"`
	Retries   *int              `json:"retries,omitempty"`
	Callbacks []callJSON        `json:"callbacks,omitempty"`
	Fired     bool              `json:"fired,omitempty"`
	Settled   bool              `json:"settled,omitempty"`
}

// MarshalJSON gives the form in which a callback travels and is stored.
func (c RecordedCallback) MarshalJSON() ([]byte, error) { return encodeJSON(c.form()) }

// UnmarshalJSON reads the form of MarshalJSON.
func (c *RecordedCallback) UnmarshalJSON(data []byte) error {
	var w callJSON
	err := json.Unmarshal(data, &w)
	if err != nil {
		return fmt.Errorf("deferred: callback: %w", err)
	}
	*c, err = w.callback()
	return err
}

// MarshalCallbacks gives callbacks in the form in which they travel with a call.
func MarshalCallbacks(callbacks []Callback) ([]byte, error) {
	forms := formsOf(callbacks)
	if forms == nil {
		forms = []callJSON{}
	}
	data, err := encodeJSON(forms)
	if err != nil {
		return nil, fmt.Errorf("deferred: callbacks: %w", err)
	}
	return data, nil
}

// UnmarshalCallbacks reads the form of [MarshalCallbacks]. What is over
// [MaxCallbacksSize] is refused unread.
func UnmarshalCallbacks(data []byte) ([]Callback, error) {
	if len(data) > MaxCallbacksSize {
		return nil, &SizeError{Field: FieldCallbacks, Size: len(data), Limit: MaxCallbacksSize}
	}
	var forms []callJSON
	// A term that is misspelt must not be left out in silence.
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&forms); err != nil {
		return nil, fmt.Errorf("deferred: callbacks: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("deferred: callbacks: more follows the array")
	}
	return callbacksOf(forms)
}

func (c *RecordedCallback) form() callJSON {
	w := callJSON{
		On: c.On, Kinds: c.Kinds, ID: c.ID, Waiter: c.Waiter, Name: c.Call.Name, Queue: c.Call.Queue, Labels: c.Call.Labels,
		NotBefore: c.Call.NotBefore.UTC(), BeginBy: c.Call.BeginBy.UTC(), Deadline: c.Call.Deadline.UTC(),
		Timeout: span(c.Call.Timeout), Keep: span(c.Call.Keep),
		Callbacks: formsOf(c.Call.Callbacks), Fired: c.Fired, Settled: c.Settled,
	}
	w.Args, w.ArgsType = inline(c.Call.Args)
	if c.Call.Delay > 0 {
		w.Delay = c.Call.Delay.String()
	}
	if c.Call.Retries != 0 {
		n := c.Call.RetryLimit()
		w.Retries = &n
	}
	return w
}

func (w *callJSON) callback() (RecordedCallback, error) {
	c := RecordedCallback{
		On: w.On, Kinds: w.Kinds, ID: w.ID, Waiter: w.Waiter, Fired: w.Fired, Settled: w.Settled,
		Call: Call{Name: w.Name, Queue: w.Queue, Labels: w.Labels, NotBefore: w.NotBefore, BeginBy: w.BeginBy, Deadline: w.Deadline},
	}
	var err error
	if c.Call.Timeout, err = parseSpan(w.Timeout); err != nil {
		return c, err
	}
	if c.Call.Keep, err = parseSpan(w.Keep); err != nil {
		return c, err
	}
	if c.Call.Args, err = outline(w.Args, w.ArgsType); err != nil {
		return c, err
	}
	if w.ArgsType == "" { // fired again from the record it must be the same call, to the byte
		var compact bytes.Buffer
		if err := json.Compact(&compact, c.Call.Args.Data); err == nil {
			c.Call.Args.Data = compact.Bytes()
		}
	}
	if w.Delay != "" {
		if c.Call.Delay, err = time.ParseDuration(w.Delay); err != nil {
			return c, fmt.Errorf("deferred: callback: %w", err)
		}
	}
	if w.Retries != nil {
		if c.Call.Retries = *w.Retries; *w.Retries == 0 {
			c.Call.Retries = NoRetries
		}
	}
	c.Call.Callbacks, err = callbacksOf(w.Callbacks)
	return c, err
}

func formsOf(callbacks []Callback) []callJSON {
	var forms []callJSON
	for _, cb := range callbacks {
		c := RecordedCallback{On: cb.On, Kinds: cb.Kinds, Call: cb.Call}
		forms = append(forms, c.form())
	}
	return forms
}

func callbacksOf(forms []callJSON) ([]Callback, error) {
	var callbacks []Callback
	for i := range forms {
		c, err := forms[i].callback()
		if err != nil {
			return nil, err
		}
		callbacks = append(callbacks, Callback{On: c.On, Kinds: c.Kinds, Call: c.Call})
	}
	return callbacks, nil
}
