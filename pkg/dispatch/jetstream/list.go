package jetstream

import (
	"context"
	"fmt"
	"iter"
	"strings"

	"zasync/pkg/dispatch"
)

// List gives the entries of the query, in the order of their revisions.
func (s *Store) List(ctx context.Context, q dispatch.Query) iter.Seq2[dispatch.Entry, error] {
	return func(yield func(dispatch.Entry, error) bool) {
		if err := checkKey(dispatch.Key{Space: q.Space, Name: q.Prefix + "x"}); err != nil {
			yield(dispatch.Entry{}, err)
			return
		}
		if q.Prefix != "" && !strings.HasSuffix(q.Prefix, ".") {
			yield(dispatch.Entry{}, fmt.Errorf("jetstream: the prefix %q does not end at a dot", q.Prefix))
			return
		}
		filter := s.keySubject(q.Space, q.Prefix+">")
		for m, err := range s.exchange.browse(ctx, s.bucketStream(q.Space), filter, q.After) {
			if err != nil {
				yield(dispatch.Entry{}, err)
				return
			}
			name := strings.TrimPrefix(stamped(m.Header, headerSubject), s.keySubject(q.Space, ""))
			e := entryOf(dispatch.Key{Space: q.Space, Name: name}, m)
			if e.Revision > 0 && !yield(e, nil) {
				return
			}
		}
	}
}
