package jetstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"zasync/pkg/dispatch/driver"

	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"
)

// ReadLatest returns an entry per key, in order, as the leader of the bucket's stream has
// it. It uses the API of the stream, which no other replica answers. That costs the
// leader more than a direct get.
func (s *Store) ReadLatest(ctx context.Context, keys []driver.Key) ([]driver.Entry, error) {
	return s.read(ctx, keys, s.leader, latestEntry)
}

// leader is the request to the leader for the last message of a key.
func (s *Store) leader(k driver.Key) *nats.Msg {
	data, _ := json.Marshal(map[string]string{"last_by_subj": s.keySubject(k.Space, k.Name)}) // strings
	return &nats.Msg{Subject: s.api("STREAM.MSG.GET." + s.bucketStream(k.Space)), Data: data}
}

func latestEntry(k driver.Key, a answer) (driver.Entry, error) {
	m, err := kept(a)
	if err != nil || m == nil || isMarker(m.header) {
		return driver.Entry{Key: k}, err
	}
	return driver.Entry{Key: k, Value: m.Data, Revision: m.Seq, Time: m.Time}, nil
}

// keptMessage is a stored message in the answer of the leader.
type keptMessage struct {
	Seq    uint64    `json:"seq"`
	Hdrs   []byte    `json:"hdrs"`
	Data   []byte    `json:"data"`
	Time   time.Time `json:"time"`
	header nats.Header
}

// kept reads the answer of the leader; it returns nil if there is no such message.
func kept(a answer) (*keptMessage, error) {
	if a.err != nil {
		return nil, unread(a.err)
	}
	var got struct {
		Message *keptMessage     `json:"message"`
		Error   *natsjs.APIError `json:"error"`
	}
	err := json.Unmarshal(a.msg.Data, &got)
	switch {
	case err != nil:
		return nil, fmt.Errorf("the answer of the server: %w", err)
	case got.Error != nil && got.Error.ErrorCode == natsjs.JSErrCodeMessageNotFound:
		return nil, nil //nolint:nilnil // there is none
	case got.Error != nil && leaderless(got.Error):
		return nil, fmt.Errorf("%w: %w", driver.ErrUnavailable, got.Error)
	case got.Error != nil:
		return nil, got.Error
	case got.Message == nil || got.Message.Seq == 0:
		return nil, errors.New("the answer of the server has neither a message nor an error")
	}
	if len(got.Message.Hdrs) > 0 {
		got.Message.header, _ = nats.DecodeHeadersMsg(got.Message.Hdrs) // unreadable headers mark nothing
	}
	return got.Message, nil
}
