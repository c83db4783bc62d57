package deferred

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
)

// ID names a deferred. It is 1 to 64 characters of A-Z, a-z, 0-9, "_" and "-",
// but not "-" alone, which the wire uses for "numbered by the server".
type ID string

// Limits on names, in bytes: each is one token of a subject on the wire.
const (
	MaxIDLength   = 64
	MaxNameLength = 64
)

// NewID returns an id with 128 random bits, so that ids cannot be guessed.
func NewID() ID { return ID(rand.Text()) }

// ChildID returns the id of the callback at index of parent: the first 32
// hexadecimal digits of SHA-256 over the parent's id, a zero byte and the index
// in decimal. Whoever fires a callback a second time fires the same id.
func ChildID(parent ID, index int) ID {
	sum := sha256.Sum256([]byte(string(parent) + "\x00" + strconv.Itoa(index)))
	return ID(hex.EncodeToString(sum[:16]))
}

// Check reports an [*InputError] or a [*SizeError] when id breaks the rule of [ID].
func (id ID) Check() error {
	if id == "-" {
		return &InputError{Field: FieldID, Value: string(id), Rule: `"-" alone is reserved for ids numbered by the server`}
	}
	return checkToken(FieldID, string(id), false)
}
