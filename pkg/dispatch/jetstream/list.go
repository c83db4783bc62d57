package jetstream

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"strings"

	"zasync/pkg/dispatch/driver"

	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"
)

// List returns the entries of the query, in the order of their revisions.
func (s *Store) List(ctx context.Context, q driver.Query) iter.Seq2[driver.Entry, error] {
	return func(yield func(driver.Entry, error) bool) {
		if err := checkKey(driver.Key{Space: q.Space, Name: q.Prefix + "x"}); err != nil {
			yield(driver.Entry{}, err)
			return
		}
		if q.Prefix != "" && !strings.HasSuffix(q.Prefix, ".") {
			yield(driver.Entry{}, fmt.Errorf("jetstream: the prefix %q does not end at a dot", q.Prefix))
			return
		}
		filter := s.keySubject(q.Space, q.Prefix+">")
		for m, err := range s.exchange.browse(ctx, s.bucketStream(q.Space), filter, q.After, 0) {
			if err != nil {
				yield(driver.Entry{}, err)
				return
			}
			name := strings.TrimPrefix(stamped(m.Header, headerSubject), s.keySubject(q.Space, ""))
			e := entryOf(driver.Key{Space: q.Space, Name: name}, m)
			if e.Revision > 0 && !yield(e, nil) {
				return
			}
		}
	}
}

// Count returns the number of entries in a space. It includes the markers of entries that
// were deleted within the last hour.
func (s *Store) Count(ctx context.Context, space driver.Space) (int, error) {
	if err := checkKey(driver.Key{Space: space, Name: "x"}); err != nil {
		return 0, err
	}
	var info struct {
		State struct {
			Messages int `json:"messages"`
		} `json:"state"`
		Error *natsjs.APIError `json:"error"`
	}
	m, err := s.exchange.one(ctx, &nats.Msg{Subject: s.api("STREAM.INFO." + s.bucketStream(space))})
	if err == nil {
		err = json.Unmarshal(m.Data, &info)
	}
	if err == nil && info.Error != nil {
		err = s.exchange.lookout.explain(s.bucketStream(space), info.Error)
	}
	if err != nil {
		return 0, fmt.Errorf("jetstream: count %s: %w", space, err)
	}
	return info.State.Messages, nil
}
