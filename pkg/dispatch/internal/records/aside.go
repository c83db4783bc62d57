package records

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/internal/wire"
)

// SetAside moves a message that no worker can use to the stream for people: whole, or as
// much of it as the server takes.
func (rs *Records) SetAside(ctx context.Context, d driver.Delivery, reason, detail string) error {
	rs.Log.Warn("message set aside", "id", d.ID, "name", d.Name, "queue", d.Queue, "reason", wire.CutText(detail, maxSaid))
	m := d.Message
	m.Route, m.Verb = driver.Aside, reason
	m.Header = maps.Clone(d.Header)
	if m.Header == nil {
		m.Header = map[string]string{}
	}
	m.Header[wire.HeaderReason], m.Header[wire.HeaderSubject] = wire.ASCII(wire.CutText(detail, maxSaid)), wire.ASCII(wire.CutText(wire.Origin(&d.Message), maxSaid))
	wire.SpellInASCII(m.Header)
	err := rs.Put(ctx, m)
	for _, room := range asideRooms {
		if !errors.Is(err, driver.ErrTooLarge) {
			return err
		}
		err = rs.Put(ctx, lessened(m, room))
	}
	if errors.Is(err, driver.ErrTooLarge) { // to keep it would make it come again for ever
		rs.Log.Error("message lost: the server keeps nothing of it aside", "id", d.ID, "name", d.Name, "queue", d.Queue, "err", err)
		return nil
	}
	return err
}

// maxSaid bounds the text about a message, parts of which its sender has chosen.
const maxSaid = 512

// asideRooms are the sizes that SetAside tries after the server refused a message as too
// large. The server names neither the part nor the limit.
var asideRooms = []asideRoom{
	{body: deferred.MaxArgsSize, headers: 1 << 20},
	{body: deferred.MaxArgsSize, headers: 32 << 10},
	{body: 32 << 10, headers: 8 << 10},
	{body: 4 << 10, headers: 1 << 10},
	{},
}

type asideRoom struct{ body, headers int }

// lessened cuts the body and the headers of a message for the set-aside stream to a size.
// The largest headers go first. The reason names the missing parts.
func lessened(m driver.Message, room asideRoom) driver.Message {
	reason, subject := m.Header[wire.HeaderReason], m.Header[wire.HeaderSubject]
	m.Header = maps.Clone(m.Header)
	delete(m.Header, wire.HeaderReason)
	delete(m.Header, wire.HeaderSubject)
	size := func(key string) int { return len(key) + len(m.Header[key]) }
	keys := slices.SortedFunc(maps.Keys(m.Header), func(a, b string) int {
		return cmp.Or(cmp.Compare(size(b), size(a)), cmp.Compare(a, b))
	})
	total, gone := 0, 0
	for _, key := range keys {
		total += size(key)
	}
	for ; gone < len(keys) && total > room.headers; gone++ {
		total -= size(keys[gone])
		delete(m.Header, keys[gone])
	}
	if gone > 0 {
		reason += fmt.Sprintf("; without its %d largest headers, %s first", gone, wire.CutText(keys[0], maxSaid/8))
	}
	if n := len(m.Body); n > room.body {
		m.Body = m.Body[:room.body]
		reason += fmt.Sprintf("; cut from %d bytes", n)
	}
	m.Header[wire.HeaderReason], m.Header[wire.HeaderSubject] = reason, subject
	return m
}
