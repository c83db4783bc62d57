package jetstream

import (
	"fmt"
	"strings"

	"zasync/pkg/dispatch/driver"
)

// bucketName is the bucket of a space, as key-value clients call it.
func (n names) bucketName(s driver.Space) string { return n.upper + strings.ToUpper(string(s)) }

func (n names) bucketStream(s driver.Space) string { return "KV_" + n.bucketName(s) }

// keySubject is where the values of a key are stored.
func (n names) keySubject(s driver.Space, name string) string {
	return "$KV." + n.bucketName(s) + "." + name
}

// put is where a value of a key is published to be stored. Leaf nodes let what
// begins with $KV not pass, so for a JetStream elsewhere the prefix goes before it.
func (n names) put(s driver.Space, name string) string { return n.away + n.keySubject(s, name) }

// live is where the values of a key are published once they are stored.
func (n names) live(s driver.Space, name string) string {
	if s == driver.Notes {
		return n.prefix + "live.note." + name
	}
	return n.prefix + "live." + string(s) + "." + name
}

// hello is where workers say which installation they belong to.
func (n names) hello() string { return n.prefix + "live.hello" }

// checkKey holds a key to the alphabet of key-value buckets, so that its subject
// is one and only its own.
func checkKey(k driver.Key) error {
	switch k.Space {
	case driver.Records, driver.Notes, driver.Workers, driver.Settings, driver.Unhandled:
	default:
		return fmt.Errorf("jetstream: there is no space %q", k.Space)
	}
	if k.Name == "" || len(k.Name) > 256 || strings.Trim(k.Name, ".") != k.Name || strings.Contains(k.Name, "..") {
		return fmt.Errorf("jetstream: %q is not a key", k.Name)
	}
	for _, c := range []byte(k.Name) {
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !letter && strings.IndexByte("-/_=.", c) < 0 {
			return fmt.Errorf("jetstream: key %q must be of letters, digits and -/_=. only", k.Name)
		}
	}
	return nil
}
