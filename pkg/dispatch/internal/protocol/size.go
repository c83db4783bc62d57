package protocol

import (
	"zasync/pkg/deferred"
)

const (
	// maxAttached bounds the entries of a record. A waiter without an entry polls, more
	// often than its member can be forgotten.
	maxAttached = 4000
	// FewMembers is the width up to which reading all members costs less than noting in
	// the record which of them are attached.
	FewMembers = 8
)

// MaxRecord is the limit for a record: the limit of a server, less the headers.
const MaxRecord = 1<<20 - 4<<10

// HasRoom reports whether a record has room for one more entry. The estimate leaves room
// for the marks of all entries and for its outcome.
func HasRoom(r *deferred.Record) bool {
	const entry, rest = 110, 64 << 10 // an entry with all its marks; labels, callbacks, a failure
	size := rest + base64Len(len(r.Args.Data)) + base64Len(len(r.Result.Data))
	if r.Waits == nil && !r.State.Settled() { // a join may refer to its result
		size += base64Len(deferred.MaxResultSize)
	}
	if r.Waits != nil {
		for _, id := range r.Waits.On {
			size += len(id) + len(`"",`)
		}
	}
	for i := range r.Callbacks {
		size += entry + len(r.Callbacks[i].ID)
	}
	return len(r.Callbacks) < maxAttached && size < MaxRecord
}

func base64Len(n int) int { return (n + 2) / 3 * 4 }
