package deferred

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"
)

// The JSON forms. A content that is JSON stands inline ("result": 6); any other
// is base64 with its type beside it ("result": "wAAB", "result_type":
// "application/msgpack"). Times are RFC 3339 with fractions, in UTC. Fields that
// are not known are ignored, so that older readers read newer records.

type recordJSON struct {
	ID      ID     `json:"id"`
	Name    string `json:"name,omitempty"`
	Queue   string `json:"queue,omitempty"`
	State   State  `json:"state"`
	Attempt int    `json:"attempt"`
	Counts  Counts `json:"counts,omitzero"`
	Retries int    `json:"retries"`
	Seen    bool   `json:"seen"`
	Token   Token  `json:"token,omitzero"`
	Digest  string `json:"digest,omitempty"`

	Submitted time.Time `json:"submitted,omitzero"`
	NotBefore time.Time `json:"not_before,omitzero"`
	BeginBy   time.Time `json:"begin_by,omitzero"`
	Started   time.Time `json:"started,omitzero"`
	Settled   time.Time `json:"settled,omitzero"`

	Labels    map[string]string  `json:"labels,omitempty"`
	Callbacks []RecordedCallback `json:"callbacks,omitempty"`
	Parent    *RecordedParent    `json:"parent,omitempty"`

	Args       json.RawMessage `json:"args,omitempty"`
	ArgsType   string          `json:"args_type,omitempty"`
	Result     json.RawMessage `json:"result,omitempty"`
	ResultType string          `json:"result_type,omitempty"`
	Failure    *Failure        `json:"failure,omitempty"`
}

// MarshalJSON gives the stored form of the record.
func (r Record) MarshalJSON() ([]byte, error) {
	w := recordJSON{
		ID: r.ID, Name: r.Name, Queue: r.Queue, State: r.State, Attempt: r.Attempt, Counts: r.Counts,
		Retries: r.Retries, Seen: r.Seen, Token: r.Token, Digest: r.Digest,
		Submitted: r.Submitted.UTC(), NotBefore: r.NotBefore.UTC(), BeginBy: r.BeginBy.UTC(), Started: r.Started.UTC(), Settled: r.Settled.UTC(),
		Labels: r.Labels, Callbacks: r.Callbacks, Parent: r.Parent, Failure: r.Failure,
	}
	w.Args, w.ArgsType = inline(r.Args)
	w.Result, w.ResultType = inline(r.Result)
	return json.Marshal(w)
}

// UnmarshalJSON reads the stored form. A record without an id or with a state
// that this version does not know is an error.
func (r *Record) UnmarshalJSON(data []byte) error {
	var w recordJSON
	err := json.Unmarshal(data, &w)
	if err != nil {
		return fmt.Errorf("deferred: record: %w", err)
	}
	if w.ID == "" || !w.State.Known() {
		return fmt.Errorf("deferred: record of %q has the unknown state %q", string(w.ID), string(w.State))
	}
	*r = Record{
		ID: w.ID, Name: w.Name, Queue: w.Queue, State: w.State, Attempt: w.Attempt, Counts: w.Counts,
		Retries: w.Retries, Seen: w.Seen, Token: w.Token, Digest: w.Digest,
		Submitted: w.Submitted, NotBefore: w.NotBefore, BeginBy: w.BeginBy, Started: w.Started, Settled: w.Settled,
		Labels: w.Labels, Callbacks: w.Callbacks, Parent: w.Parent, Failure: w.Failure,
	}
	if r.Args, err = outline(w.Args, w.ArgsType); err != nil {
		return err
	}
	r.Result, err = outline(w.Result, w.ResultType)
	return err
}

type callJSON struct {
	On        Branch             `json:"on"`
	ID        ID                 `json:"id,omitempty"`
	Name      string             `json:"name"`
	Queue     string             `json:"queue,omitempty"`
	Args      json.RawMessage    `json:"args,omitempty"`
	ArgsType  string             `json:"args_type,omitempty"`
	Labels    map[string]string  `json:"labels,omitempty"`
	NotBefore time.Time          `json:"not_before,omitzero"`
	Delay     string             `json:"delay,omitempty"`
	BeginBy   time.Time          `json:"begin_by,omitzero"`
	Retries   *int               `json:"retries,omitempty"`
	Callbacks []RecordedCallback `json:"callbacks,omitempty"`
	Fired     bool               `json:"fired,omitempty"`
	Settled   bool               `json:"settled,omitempty"`
}

// MarshalJSON gives the form in which a callback travels and is stored.
func (c RecordedCallback) MarshalJSON() ([]byte, error) {
	w := callJSON{
		On: c.On, ID: c.ID, Name: c.Call.Name, Queue: c.Call.Queue, Labels: c.Call.Labels,
		NotBefore: c.Call.NotBefore.UTC(), BeginBy: c.Call.BeginBy.UTC(), Fired: c.Fired, Settled: c.Settled,
	}
	w.Args, w.ArgsType = inline(c.Call.Args)
	if c.Call.Delay > 0 {
		w.Delay = c.Call.Delay.String()
	}
	if c.Call.Retries != 0 {
		n := c.Call.RetryLimit()
		w.Retries = &n
	}
	for _, cb := range c.Call.Callbacks {
		w.Callbacks = append(w.Callbacks, RecordedCallback{On: cb.On, Call: cb.Call})
	}
	return json.Marshal(w)
}

// UnmarshalJSON reads the form of MarshalJSON.
func (c *RecordedCallback) UnmarshalJSON(data []byte) error {
	var w callJSON
	err := json.Unmarshal(data, &w)
	if err != nil {
		return fmt.Errorf("deferred: callback: %w", err)
	}
	*c = RecordedCallback{
		On: w.On, ID: w.ID, Fired: w.Fired, Settled: w.Settled,
		Call: Call{Name: w.Name, Queue: w.Queue, Labels: w.Labels, NotBefore: w.NotBefore, BeginBy: w.BeginBy},
	}
	if c.Call.Args, err = outline(w.Args, w.ArgsType); err != nil {
		return err
	}
	if w.Delay != "" {
		if c.Call.Delay, err = time.ParseDuration(w.Delay); err != nil {
			return fmt.Errorf("deferred: callback: %w", err)
		}
	}
	if w.Retries != nil {
		if c.Call.Retries = *w.Retries; *w.Retries == 0 {
			c.Call.Retries = NoRetries
		}
	}
	for _, cb := range w.Callbacks {
		c.Call.Callbacks = append(c.Call.Callbacks, Callback{On: cb.On, Call: cb.Call})
	}
	return nil
}

// MarshalCallbacks gives callbacks in the form in which they travel with a call.
func MarshalCallbacks(callbacks []Callback) ([]byte, error) {
	recorded := make([]RecordedCallback, len(callbacks))
	for i, cb := range callbacks {
		recorded[i] = RecordedCallback{On: cb.On, Call: cb.Call}
	}
	return json.Marshal(recorded)
}

// UnmarshalCallbacks reads the form of [MarshalCallbacks].
func UnmarshalCallbacks(data []byte) ([]Callback, error) {
	var recorded []RecordedCallback
	if err := json.Unmarshal(data, &recorded); err != nil {
		return nil, err
	}
	callbacks := make([]Callback, len(recorded))
	for i, cb := range recorded {
		callbacks[i] = Callback{On: cb.On, Call: cb.Call}
	}
	return callbacks, nil
}

func inline(c Content) (raw json.RawMessage, contentType string) {
	switch {
	case c.IsZero():
		return nil, ""
	case canonicalType(c.Type) == TypeJSON:
		return c.Data, ""
	}
	quoted := make([]byte, base64.StdEncoding.EncodedLen(len(c.Data))+2)
	quoted[0], quoted[len(quoted)-1] = '"', '"'
	base64.StdEncoding.Encode(quoted[1:], c.Data)
	return quoted, c.Type
}

func outline(raw json.RawMessage, contentType string) (Content, error) {
	if contentType == "" {
		if len(raw) == 0 {
			return Content{}, nil
		}
		return Content{Type: TypeJSON, Data: raw}, nil
	}
	var data []byte
	if err := json.Unmarshal(raw, &data); err != nil {
		return Content{}, fmt.Errorf("deferred: content of type %s: %w", contentType, err)
	}
	return Content{Type: contentType, Data: data}, nil
}
