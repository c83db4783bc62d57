package deferred

import (
	"errors"
	"fmt"
	"sync"
)

// kinds are the sentinels that stand for kinds of failure in this process.
var kinds = struct {
	sync.RWMutex
	sentinels map[string]error
}{sentinels: map[string]error{
	KindCancelled: ErrCancelled,
	KindExpired:   ErrExpired,
	KindTimeout:   ErrTimeout,
}}

// RegisterKind makes err the sentinel of a kind of failure, so that an error
// keeps its identity on the way through a queue: a handler that returns err, or
// an error that wraps it, fails with that kind, and where the [*Failure] comes
// out [errors.Is] finds err again. Both sides register the same; a program in
// another language sees the kind.
//
//	func init() { deferred.RegisterKind("out of stock", ErrOutOfStock) }
//
// It panics when the kind is empty, longer than a name, or has another sentinel.
func RegisterKind(kind string, err error) {
	kinds.Lock()
	defer kinds.Unlock()
	old := kinds.sentinels[kind]
	if kind == "" || len(kind) > MaxNameLength || err == nil || old != nil && old != err { //nolint:errorlint // the very one
		panic(fmt.Sprintf("deferred: the kind %q cannot be registered for %v; it stands for %v", kind, err, old))
	}
	kinds.sentinels[kind] = err
}

// registered is the kind that a link of an error is the sentinel of.
func registered(err error) string {
	kinds.RLock()
	defer kinds.RUnlock()
	for kind, sentinel := range kinds.sentinels {
		if err == sentinel { //nolint:errorlint // each link is looked at by itself
			return kind
		}
	}
	return ""
}

// Is lets [errors.Is] find the sentinels of the failure's kind and of the kinds
// that it wraps.
func (f *Failure) Is(target error) bool {
	kinds.RLock()
	defer kinds.RUnlock()
	matches := func(kind string) bool {
		s := kinds.sentinels[kind]
		return s != nil && errors.Is(s, target)
	}
	if matches(f.Kind) {
		return true
	}
	for _, c := range f.Chain {
		if matches(c.Kind) {
			return true
		}
	}
	return false
}
