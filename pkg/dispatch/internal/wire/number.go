package wire

import (
	"strconv"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
)

// leastNumber is below every sequence of the stream of calls. Its first sequence is the
// time of its creation in microseconds, a number of sixteen digits.
const leastNumber = 1 << 50

// Number is the sequence that an id stands for, or 0. Such an id belongs to the message
// to which the server gave that sequence, and to no other: the next sequences can be
// guessed.
func Number(id deferred.ID) uint64 {
	n, err := strconv.ParseUint(string(id), 10, 64)
	if err != nil || n < leastNumber || strconv.FormatUint(n, 10) != string(id) {
		return 0
	}
	return n
}

// WhyForeign is why a worker sets a foreign message aside.
const WhyForeign = "its id is the number of another message: choose one that is not of digits only"

// Foreign reports whether the id of a message is the number of another message. That is
// right where a worker has moved a call; then a record has met the call, and only
// workers write records.
func Foreign(d *driver.Delivery) bool {
	if d.Route == driver.Delay || d.Route == driver.Due { // where only workers and the server put anything
		return false
	}
	n := Number(d.ID)
	return n != 0 && n != d.Seq
}
