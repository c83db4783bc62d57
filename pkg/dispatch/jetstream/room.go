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

// The store of a server is one for all streams. What anybody may publish must
// not fill it: then no claim, outcome or heartbeat could be written, and what
// was accepted would stand still for ever. So the stream of calls is bounded
// when it is made, to a share of what can be reserved; its records, schedules
// and heartbeats have the rest.
const (
	queueShare = 3        // the queue has one part of so many: a record may be larger than its call
	asideShare = 4        // what was set aside has at most one of so many parts of the queue's
	leastRoom  = 16 << 20 // below that there is no use in beginning
	leastAside = 1 << 20  // takes one message of any size
	mostRoom   = 1 << 40  // is asked for where no limit is known
)

// AccountError says which limit of the account is in the way. Nothing was made.
type AccountError struct {
	Limit  string // as the server's configuration calls it, such as "max_streams"
	Have   string
	Needed string
}

func (e *AccountError) Error() string {
	return fmt.Sprintf("jetstream: the account's %s is %s, and zasync needs %s; nothing was made", e.Limit, e.Have, e.Needed)
}

// account is what JetStream says of an account's limits.
type account struct {
	tier
	Tiers map[string]tier `json:"tiers"` // "R1" and so on, if limits go by replicas
}

type tier struct {
	Streams  int   `json:"streams"`
	Used     int64 `json:"storage"`
	Reserved int64 `json:"reserved_storage"`
	Limits   struct {
		MaxStore      int64 `json:"max_storage"` // -1: none
		MaxStreams    int   `json:"max_streams"`
		BytesRequired bool  `json:"max_bytes_required"`
	} `json:"limits"`
}

// limits asks for those on streams of ours.
func (s *site) limits(ctx context.Context) (*tier, error) {
	ctx, free := s.refusals.bound(ctx, func(e *driver.PermissionError) bool { return e.Subject == s.api("INFO") })
	defer free()
	m, err := s.js.Conn().RequestWithContext(ctx, s.api("INFO"), nil)
	if errors.Is(refusal(ctx, err), driver.ErrNotPermitted) { // then the server says itself what there is no room for
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
	if t.Limits.MaxStore >= 0 { // all replicas count
		n := int64(s.config.Replicas)
		t.Limits.MaxStore, t.Used, t.Reserved = t.Limits.MaxStore/n, t.Used/n, t.Reserved/n
	}
	return &t, nil
}

// allow refuses before the first stream is made what would fail at a later one.
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

// room is what can be reserved, as far as the account knows.
func (t *tier) room() int64 {
	if t.Limits.MaxStore < 0 {
		return mostRoom
	}
	return max(0, t.Limits.MaxStore-max(t.Reserved, t.Used))
}

func mebibytes(n int64) string { return fmt.Sprintf("%d MiB", n>>20) }

// makeQueue gives the queue its share of the room that a probe has found.
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

// makeAside bounds what was set aside, which anybody may add to, by the queue's own bound.
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
	want.MaxBytes = max(want.MaxBytes/asideShare, leastAside) // it was all that there is
	return s.js.UpdateStream(ctx, *want)
}

// makeWithin makes a stream that is bounded by what there is room for.
func (s *site) makeWithin(ctx context.Context, want *natsjs.StreamConfig, most, least int64) (natsjs.Stream, error) {
	for want.MaxBytes = max(most, least); ; want.MaxBytes = max(want.MaxBytes/2, least) {
		stream, err := s.js.CreateStream(ctx, *want)
		if !noRoom(err) || want.MaxBytes <= least {
			return stream, err
		}
	}
}

// The server's codes for a stream whose bound is more than there is.
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
