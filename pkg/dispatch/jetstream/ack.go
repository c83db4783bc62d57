package jetstream

import (
	"strconv"
	"strings"
	"time"
)

// ack holds the fields of the subject on which a worker acknowledges a delivery.
type ack struct {
	consumer   string
	deliveries int
	seq        uint64
	time       time.Time
	pending    int // messages that wait in the lane, without redeliveries
}

const ackPrefix = "$JS.ACK."

// parseAck reads both forms of the subject:
//
//	$JS.ACK.<stream>.<consumer>.<deliveries>.<seq>.<consumer seq>.<time>.<pending>
//	$JS.ACK.<domain>.<account>.<stream>.<consumer>.<…as above>.<pending>[.<token>]
func parseAck(subject string) (a ack, ok bool) {
	rest, ok := strings.CutPrefix(subject, ackPrefix)
	if !ok {
		return a, false
	}
	switch tokens := strings.Count(rest, ".") + 1; {
	case tokens == 7:
	case tokens >= 9:
		_, rest, _ = strings.Cut(rest, ".")
		_, rest, _ = strings.Cut(rest, ".")
	default:
		return a, false
	}
	_, rest, _ = strings.Cut(rest, ".")
	a.consumer, rest, _ = strings.Cut(rest, ".")
	numbers := [5]uint64{}
	for i := range numbers {
		var token string
		var err error
		token, rest, _ = strings.Cut(rest, ".")
		if numbers[i], err = strconv.ParseUint(token, 10, 63); err != nil {
			return a, false
		}
	}
	a.deliveries, a.seq, a.pending = int(numbers[0]), numbers[1], int(numbers[4]) //nolint:gosec // 63 bits
	a.time = time.Unix(0, int64(numbers[3]))                                      //nolint:gosec // 63 bits
	return a, true
}
