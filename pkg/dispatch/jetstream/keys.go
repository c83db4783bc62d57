package jetstream

import (
	"fmt"
	"strings"

	"zasync/pkg/dispatch/driver"
)

// bucketName is the name of a space as a key-value bucket.
func (n names) bucketName(s driver.Space) string { return n.upper + strings.ToUpper(string(s)) }

func (n names) bucketStream(s driver.Space) string { return "KV_" + n.bucketName(s) }

// keySubject is the subject under which the values of a key are stored.
func (n names) keySubject(s driver.Space, name string) string {
	return "$KV." + n.bucketName(s) + "." + name
}

// put is the subject to which a value of a key is published. Leaf nodes do not pass on
// subjects that begin with $KV. So for a JetStream in another domain or account the API
// prefix goes before the subject.
func (n names) put(s driver.Space, name string) string { return n.away + n.keySubject(s, name) }

// live is the subject to which the server publishes the values of a key once they are
// stored.
func (n names) live(s driver.Space, name string) string {
	if s == driver.Notes {
		return n.prefix + "live.note." + name
	}
	return n.prefix + "live." + string(s) + "." + name
}

// hello is the subject to which workers publish their installation.
func (n names) hello() string { return n.prefix + "live.hello" }

// checkKey restricts a key to the alphabet of key-value buckets, so that no two keys
// share a subject and none is a wildcard.
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
