package jetstream

import (
	"runtime"
	"sync"

	"github.com/nats-io/nats.go"
)

// An outbox sends the single messages of many goroutines in bursts. The client writes to
// its socket as soon as the publishing goroutine begins to wait. So without an outbox
// each such message would be a packet of its own, and separate work for the server. An
// outbox sends messages in the order in which it received them.
type outbox struct {
	nc *nats.Conn

	mu      sync.Mutex
	waiting []letter
	spare   []letter
	carried bool // a goroutine runs carry
}

// A letter is a message and the function that learns that it could not be sent; nil if
// there is none.
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
		runtime.Gosched() // goroutines that are ready may add to the burst
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
