package dispatch

import (
	"context"
	"errors"
	"strconv"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
)

// leastNumber is below all sequences of a stream of calls: the first one is the
// time in microseconds when the stream was made, which is a number of sixteen digits.
const leastNumber = 1 << 50

// number is the sequence that an id may be; 0 if it cannot be one. Such an id is
// that of the message which the server has numbered so, and of no other: anybody can
// know in advance which numbers come next.
func number(id deferred.ID) uint64 {
	n, err := strconv.ParseUint(string(id), 10, 64)
	if err != nil || n < leastNumber || strconv.FormatUint(n, 10) != string(id) {
		return 0
	}
	return n
}

const whyForeign = "its id is the number of another message: choose one that is not of digits only"

// foreign reports whether a message that anybody may send has another one's number.
// It may rightly have it where a worker has moved a call on; then there is a record
// that has met the call, which nobody else can make.
func foreign(d *driver.Delivery) bool {
	if d.Route == driver.Delay || d.Route == driver.Due { // where only workers and the server put anything
		return false
	}
	n := number(d.ID)
	return n != 0 && n != d.Seq
}

// disown sets a message aside that has no right to its number. Nothing is noted under
// that, which is another call's. What was read may be of a replica that lags behind:
// that nobody has met the call is certain only when the record, which says no more
// than before, could be written over it.
func (f *feed) disown(ctx context.Context, h *holding, why string) (err error) {
	r := &deferred.Record{ID: h.delivery.ID, State: deferred.Pending}
	if h.record != nil {
		*r = h.record.Clone()
	}
	if _, err := f.writeRecord(ctx, r, h.revision, 0); err != nil {
		if errors.Is(err, driver.ErrConflict) || errors.Is(err, driver.ErrUnknown) {
			return errors.New("it is not known yet whether its number is its own")
		}
		return err
	}
	return f.setAside(ctx, h.delivery, "malformed", why)
}
