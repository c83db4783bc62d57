package jetstream

import (
	"runtime"
	"sync"

	"github.com/nats-io/nats.go"
)

// An outbox sends what many goroutines hand it, one message each, in bursts.
// The client writes to its socket as soon as whoever published begins to wait,
// so without it each message of a goroutine of its own would be a packet, and
// a piece of work for the server. What was handed in first is sent first.
type outbox struct {
	nc *nats.Conn

	mu      sync.Mutex
	waiting []letter
	spare   []letter
	carried bool // a carrier is on its way
}

// A letter is a message, and who is told that it could not be sent; nil if
// nobody is.
type letter struct {
	msg    *nats.Msg
	failed func(error)
}

func (o *outbox) post(l letter) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.waiting = append(o.waiting, l)
	if !o.carried {
		o.carried = true
		go o.carry()
	}
}

func (o *outbox) carry() {
	for {
		runtime.Gosched() // whoever runs already may add to the burst
		letters := o.collect()
		if len(letters) == 0 {
			return
		}
		for _, l := range letters {
			if err := o.nc.PublishMsg(l.msg); err != nil && l.failed != nil {
				l.failed(err)
			}
		}
		clear(letters)
		o.mu.Lock()
		o.spare = letters[:0]
		o.mu.Unlock()
	}
}

func (o *outbox) collect() []letter {
	o.mu.Lock()
	defer o.mu.Unlock()
	letters := o.waiting
	o.waiting, o.spare = o.spare, nil
	o.carried = len(letters) > 0
	return letters
}
