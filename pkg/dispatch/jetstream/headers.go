package jetstream

import (
	"net/textproto"
	"strings"

	"github.com/nats-io/nats.go"
)

// NATS headers that this package writes and reads. Headers that begin with Nats- are
// orders to the server. So none of a message's own Nats- headers is sent.
const (
	headerExpect    = "Nats-Expected-Last-Subject-Sequence"
	headerTTL       = "Nats-TTL"
	headerSchedule  = "Nats-Schedule"
	headerTarget    = "Nats-Schedule-Target"
	headerSubject   = "Nats-Subject"
	headerSequence  = "Nats-Sequence"
	headerTimeStamp = "Nats-Time-Stamp"
	headerPending   = "Nats-Num-Pending"
	headerMarker    = "Nats-Marker-Reason"
	headerOperation = "KV-Operation"
	headerStatus    = "Status"
	headerReason    = "Description"
)

// outward returns the headers of a message for sending, with space for the server's
// headers.
func outward(h map[string]string) nats.Header {
	out := make(nats.Header, len(h)+2)
	for key, value := range h {
		if !hasPrefixFold(key, "Nats-") {
			out[key] = []string{value}
		}
	}
	return out
}

// inward returns the headers of a received message that the queue uses, in their
// canonical spelling: clients in other languages may spell them in another way. If a
// header has several spellings, the canonical one counts.
func inward(h nats.Header) map[string]string {
	var out map[string]string
	for key, values := range h {
		if len(values) == 0 || !hasPrefixFold(key, "Zasync-") && !strings.EqualFold(key, "Content-Type") {
			continue
		}
		name := textproto.CanonicalMIMEHeaderKey(key)
		if name != key && len(h[name]) > 0 {
			continue
		}
		if present, twice := out[name]; twice && present <= values[0] {
			continue // neither is canonical: the choice is arbitrary, but always the same
		}
		if out == nil {
			out = make(map[string]string, len(h))
		}
		out[name] = values[0]
	}
	return out
}

// stamped returns a header that the server has added. The server adds it last, so a
// publisher cannot forge it.
func stamped(h nats.Header, key string) string {
	values := h[key]
	if len(values) == 0 {
		return ""
	}
	return values[len(values)-1]
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}
