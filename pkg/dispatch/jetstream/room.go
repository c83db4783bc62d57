package jetstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	natsjs "github.com/nats-io/nats.go/jetstream"

	"zasync/pkg/dispatch/driver"
)

// All streams of a server share one store. Calls, which any client may publish, must not
// fill it. Otherwise no worker could write a claim, an outcome or a heartbeat, and the
// accepted calls would never run. So Open bounds the stream of calls to a share of the
// room that it can reserve. The records, schedules and heartbeats have the rest.
const (
	queueShare = 3        // the queue has one part of so many: a record may exceed its call
	asideShare = 4        // messages set aside have one part of so many of the queue's bound
	leastRoom  = 16 << 20 // Open refuses to begin with less
	leastAside = 1 << 20  // has room for one message of any size
	mostRoom   = 1 << 40  // the request where no limit is known
)

// AccountError says which limit of the account prevents the streams. Nothing was made.
type AccountError struct {
	Limit  string // the name in the server's configuration, such as "max_streams"
	Have   string
	Needed string
}

func (e *AccountError) Error() string {
	return fmt.Sprintf("jetstream: the account's %s is %s, and zasync needs %s; nothing was made", e.Limit, e.Have, e.Needed)
}

// account is what JetStream reports about the limits of an account.
type account struct {
	tier
	Tiers map[string]tier `json:"tiers"` // "R1" and so on, if the limits depend on the replicas
}

type tier struct {
	Streams  int   `json:"streams"`
	Used     int64 `json:"storage"`
	Reserved int64 `json:"reserved_storage"`
	Limits   struct {
		MaxStore      int64 `json:"max_storage"` // -1: no limit
		MaxStreams    int   `json:"max_streams"`
		BytesRequired bool  `json:"max_bytes_required"`
	} `json:"limits"`
}

// limits asks for the limits on the streams of the queue.
func (s *site) limits(ctx context.Context) (*tier, error) {
	ctx, free := s.refusals.bound(ctx, func(e *driver.PermissionError) bool { return e.Subject == s.api("INFO") })
	defer free()
	m, err := s.js.Conn().RequestWithContext(ctx, s.api("INFO"), nil)
	if errors.Is(refusal(ctx, err), driver.ErrNotPermitted) { // the server itself refuses a stream without room
		t := new(tier)
		t.Limits.MaxStore = -1
		return t, nil
	}
	if err != nil {
		return nil, fmt.Errorf("jetstream: account: %w", err)
	}
	var answer struct {
		account
		Error *natsjs.APIError `json:"error"`
	}
	if err := json.Unmarshal(m.Data, &answer); err != nil {
		return nil, fmt.Errorf("jetstream: account: %w", err)
	}
	if answer.Error != nil {
		return nil, fmt.Errorf("jetstream: account: %w", answer.Error)
	}
	if t, ok := answer.Tiers[fmt.Sprintf("R%d", s.config.Replicas)]; ok {
		return &t, nil
	}
	t := answer.tier
	if t.Limits.MaxStore >= 0 { // the account counts all replicas
		n := int64(s.config.Replicas)
		t.Limits.MaxStore, t.Used, t.Reserved = t.Limits.MaxStore/n, t.Used/n, t.Reserved/n
	}
	return &t, nil
}

// allow refuses, before the first stream is made, a set of streams that would fail at a
// later one.
func (t *tier) allow(missing int) error {
	l := &t.Limits
	switch {
	case l.BytesRequired:
		return &AccountError{Limit: "max_bytes_required", Have: "on", Needed: "it off: a bound on its schedules and records would throw some away"}
	case l.MaxStreams > 0 && t.Streams+missing > l.MaxStreams:
		return &AccountError{
			Limit: "max_streams", Have: fmt.Sprintf("%d, of which %d are in use", l.MaxStreams, t.Streams), Needed: fmt.Sprintf("%d more", missing),
		}
	case t.room() < leastRoom:
		return &AccountError{
			Limit: "max_file", Have: fmt.Sprintf("%s, of which %s are left", mebibytes(l.MaxStore), mebibytes(t.room())), Needed: mebibytes(leastRoom) + " at least",
		}
	}
	return nil
}

// room is how much a stream can reserve, as far as the account knows.
func (t *tier) room() int64 {
	if t.Limits.MaxStore < 0 {
		return mostRoom
	}
	return max(0, t.Limits.MaxStore-max(t.Reserved, t.Used))
}

func mebibytes(n int64) string { return fmt.Sprintf("%d MiB", n>>20) }

// makeQueue makes the queue stream with its share of the room that a probe has found.
func (s *site) makeQueue(ctx context.Context, want *natsjs.StreamConfig, t *tier) (natsjs.Stream, error) {
	want.MaxBytes = max(-1, s.config.QueueBytes)
	if s.config.QueueBytes == 0 {
		room, err := s.probe(ctx, t.room())
		if err != nil {
			return nil, err
		}
		want.MaxBytes = room / queueShare
	}
	return s.js.CreateStream(ctx, *want)
}

// makeAside makes the stream of messages set aside, to which any client may publish. The
// queue's own bound limits its bound.
func (s *site) makeAside(ctx context.Context, want *natsjs.StreamConfig) (natsjs.Stream, error) {
	queue, err := s.js.Stream(ctx, s.queue())
	if err != nil {
		return nil, err
	}
	most := s.config.AsideBytes
	if bound := queue.CachedInfo().Config.MaxBytes; bound > 0 {
		most = min(most, bound/asideShare)
	}
	most = max(most, leastAside)
	stream, err := s.makeWithin(ctx, want, most, leastAside)
	if err != nil || want.MaxBytes == most || want.MaxBytes == leastAside {
		return stream, err
	}
	want.MaxBytes = max(want.MaxBytes/asideShare, leastAside) // the stream had taken all the room
	return s.js.UpdateStream(ctx, *want)
}

// makeWithin makes a stream whose bound is as large as the room allows.
func (s *site) makeWithin(ctx context.Context, want *natsjs.StreamConfig, most, least int64) (natsjs.Stream, error) {
	for want.MaxBytes = max(most, least); ; want.MaxBytes = max(want.MaxBytes/2, least) {
		stream, err := s.js.CreateStream(ctx, *want)
		if !noRoom(err) || want.MaxBytes <= least {
			return stream, err
		}
	}
}

// The server's codes for a stream whose bound exceeds the room.
const (
	codeNoResources   = 10023
	codeNoStorage     = 10047
	codeNoPeers       = 10005
	codeTooLargeBound = 10122
)

func noRoom(err error) bool {
	var refusal *natsjs.APIError
	if !errors.As(err, &refusal) {
		return false
	}
	switch refusal.ErrorCode {
	case codeNoResources, codeNoStorage, codeTooLargeBound:
		return true
	case codeNoPeers:
		return strings.Contains(refusal.Description, "storage")
	}
	return false
}
