package jetstream

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"zasync/pkg/dispatch/driver"

	"github.com/nats-io/nats.go"
)

// Store keeps entries in key-value buckets. It is safe for concurrent use.
type Store struct {
	names
	exchange *exchange
}

var _ driver.Store = (*Store)(nil)

// Write writes each value independently of the others. It sends all of them at once.
func (s *Store) Write(ctx context.Context, writes []driver.Write) []driver.Written {
	written := make([]driver.Written, len(writes))
	requests := make([]*nats.Msg, len(writes))
	for i := range writes {
		requests[i], written[i].Err = s.request(&writes[i], writes[i].Expect)
	}
	s.send(ctx, requests, written)
	s.writeOverMarkers(ctx, writes, written)
	for i := range written {
		if errors.Is(written[i].Err, errWrongLast) {
			written[i].Err = fmt.Errorf("jetstream: write %s: %w", writes[i].Name, driver.ErrConflict)
		}
	}
	return written
}

func (s *Store) send(ctx context.Context, requests []*nats.Msg, written []driver.Written) {
	for i, a := range s.exchange.ask(ctx, requests) {
		if requests[i] != nil {
			written[i].Revision, written[i].Err = acknowledged(a)
		}
	}
}

// markerTTL is how long the bucket remembers that an entry was deleted. A write that
// expects the deleted revision conflicts with the marker, and without it too.
const markerTTL = time.Hour

// request is the publish message of a write. It uses no helper of a client library, since
// none writes both on condition and with a time to live.
func (s *Store) request(w *driver.Write, expect uint64) (*nats.Msg, error) {
	if err := checkKey(w.Key); err != nil {
		return nil, err
	}
	m := &nats.Msg{Subject: s.put(w.Space, w.Name), Data: w.Value, Header: nats.Header{}}
	if expect != driver.Unconditional {
		m.Header[headerExpect] = []string{strconv.FormatUint(expect, 10)}
	}
	ttl := w.TTL
	if w.Delete {
		m.Data = nil
		if ttl = markerTTL; w.Space == driver.Workers {
			ttl = 0 // all entries of this space expire, and sooner
		}
		m.Header[headerOperation] = []string{"DEL"}
	}
	if ttl > 0 {
		m.Header[headerTTL] = []string{strconv.FormatInt(int64((ttl+time.Second-1)/time.Second), 10)}
	}
	return m, nil
}

// writeOverMarkers repeats the writes that expect no entry and have met the marker of a
// deleted entry. Only a conflict costs this second request.
func (s *Store) writeOverMarkers(ctx context.Context, writes []driver.Write, written []driver.Written) {
	reads := make([]*nats.Msg, len(writes))
	met := false
	for i := range writes {
		if writes[i].Expect == 0 && errors.Is(written[i].Err, errWrongLast) {
			reads[i], met = s.leader(writes[i].Key), true
		}
	}
	if !met {
		return
	}
	requests := make([]*nats.Msg, len(writes))
	for i, a := range s.exchange.ask(ctx, reads) {
		if reads[i] == nil {
			continue
		}
		if m, err := kept(a); err == nil && m != nil && isMarker(m.header) {
			requests[i], _ = s.request(&writes[i], m.Seq) // the first request has checked the key
		}
	}
	s.send(ctx, requests, written)
}

// Read returns an entry per key, in order. If there are several replicas, any of them
// answers.
func (s *Store) Read(ctx context.Context, keys []driver.Key) ([]driver.Entry, error) {
	return s.read(ctx, keys, s.direct, entry)
}

// read asks for all keys at once.
func (s *Store) read(ctx context.Context, keys []driver.Key, ask func(driver.Key) *nats.Msg, read func(driver.Key, answer) (driver.Entry, error)) ([]driver.Entry, error) {
	requests := make([]*nats.Msg, len(keys))
	for i, k := range keys {
		if err := checkKey(k); err != nil {
			return nil, err
		}
		requests[i] = ask(k)
	}
	entries := make([]driver.Entry, len(keys))
	for i, a := range s.exchange.ask(ctx, requests) {
		e, err := read(keys[i], a)
		if err = s.exchange.lookout.explain(s.bucketStream(keys[i].Space), err); err != nil {
			return nil, fmt.Errorf("jetstream: read %s: %w", keys[i].Name, err)
		}
		entries[i] = e
	}
	return entries, nil
}

// direct asks for the last message of a key. The key is part of the subject, so a server
// can permit a user to read some keys and not others.
func (s *Store) direct(k driver.Key) *nats.Msg {
	return &nats.Msg{Subject: s.api("DIRECT.GET." + s.bucketStream(k.Space) + "." + s.keySubject(k.Space, k.Name))}
}

func entry(k driver.Key, a answer) (driver.Entry, error) {
	if a.err != nil {
		return driver.Entry{}, unread(a.err)
	}
	switch status(a.msg) {
	case "":
		return entryOf(k, a.msg), nil
	case "404":
		return driver.Entry{Key: k}, nil
	}
	return driver.Entry{}, statusError(a.msg)
}

// entryOf turns a stored message into the entry of a key. A marker gives an entry without
// a revision.
func entryOf(k driver.Key, m *nats.Msg) driver.Entry {
	if isMarker(m.Header) {
		return driver.Entry{Key: k}
	}
	at, _ := time.Parse(time.RFC3339Nano, stamped(m.Header, headerTimeStamp)) // the server wrote it
	return driver.Entry{Key: k, Value: m.Data, Revision: sequence(m), Time: at}
}

func statusError(m *nats.Msg) error {
	return fmt.Errorf("the server says %s %s", m.Header.Get(headerStatus), m.Header.Get(headerReason))
}

// isMarker reports whether the message says that the entry was deleted.
func isMarker(h nats.Header) bool {
	return h.Get(headerOperation) != "" || h.Get(headerMarker) != ""
}

// sequence is the position of a stored message in its stream.
func sequence(m *nats.Msg) uint64 {
	seq, _ := strconv.ParseUint(stamped(m.Header, headerSequence), 10, 64) // the server wrote it
	return seq
}
