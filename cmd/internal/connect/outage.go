package connect

import (
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// awayEvery is how often somebody is told that the server is still away.
const awayEvery = 30 * time.Second

// A Listener is told what becomes of a connection, one call at a time.
type Listener interface {
	// Away says that there has been no connection for so long, and why. It is tried
	// again. It is said at once, for 0, and then every 30 s.
	Away(since time.Duration, err error)
	// Back says that there is one again, after so long.
	Back(after time.Duration)
}

// outage is a time without a connection.
type outage struct {
	listener Listener

	mu    sync.Mutex
	began time.Time  // zero: there is a connection
	nc    *nats.Conn // that was lost; nil if there was none yet
	why   error      // of the latest try
	timer *time.Timer
}

// failed begins an outage, or tells why it goes on.
func (o *outage) failed(nc *nats.Conn, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.nc, o.why = nc, err
	if o.began.IsZero() {
		o.began = time.Now()
		o.timer = time.AfterFunc(awayEvery, o.remind)
		o.listener.Away(0, err)
	}
}

func (o *outage) remind() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.began.IsZero() {
		return
	}
	o.timer.Reset(awayEvery)
	why := o.why
	if o.nc != nil && o.nc.LastError() != nil { // a login that was refused stands only there
		why = o.nc.LastError()
	}
	o.listener.Away(time.Since(o.began), why)
}

// over ends the outage, if there is one.
func (o *outage) over(back bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.began.IsZero() {
		return
	}
	o.timer.Stop()
	after := time.Since(o.began)
	o.began = time.Time{}
	if back {
		o.listener.Back(after)
	}
}

// Staying keeps a connection trying for as long as its server is away, also while that
// refuses the login, and tells a listener so.
func Staying(l Listener) []nats.Option {
	o := &outage{listener: l}
	failed := func(nc *nats.Conn, err error) {
		if err != nil { // nil when we closed it
			o.failed(nc, err)
		}
	}
	return []nats.Option{
		nats.MaxReconnects(-1),
		nats.IgnoreAuthErrorAbort(),
		nats.DisconnectErrHandler(failed),
		nats.ReconnectErrHandler(failed),
		nats.ReconnectHandler(func(*nats.Conn) { o.over(true) }),
		nats.ClosedHandler(func(*nats.Conn) { o.over(false) }),
	}
}
