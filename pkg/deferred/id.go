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

// Limits on names, from the wire: a name is one token of a NATS subject.
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

// Check reports an [*InputError] when id breaks the rule of [ID].
func (id ID) Check() error {
	if id == "-" {
		return &InputError{Field: FieldID, Value: string(id), Rule: `"-" alone is reserved for ids numbered by the server`}
	}
	return checkToken(FieldID, string(id), MaxIDLength, false)
}

// CheckName reports an [*InputError] unless name is 1 to 64 letters, digits,
// "_", "-" and "/". Queue names and call names obey the same rule.
func CheckName(name string) error { return checkToken(FieldName, name, MaxNameLength, true) }

// CheckQueue is [CheckName] for the name of a queue.
func CheckQueue(name string) error { return checkToken(FieldQueue, name, MaxNameLength, true) }

func checkToken(field Field, s string, limit int, slash bool) error {
	rule := `letters, digits, "_" and "-"`
	if slash {
		rule = `letters, digits, "_", "-" and "/"`
	}
	switch {
	case s == "":
		return &InputError{Field: field, Rule: "must not be empty: use " + rule}
	case len(s) > limit:
		return &SizeError{Field: field, Size: len(s), Limit: limit}
	}
	for i := range len(s) {
		c := s[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-' || slash && c == '/' {
			continue
		}
		return &InputError{Field: field, Value: s, Rule: "must be of " + rule + " only"}
	}
	return nil
}
