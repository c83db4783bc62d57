package connect

import (
	"net/url"
	"strings"
)

// Redact is a list of server URLs without what logs us in. One that cannot be
// read is not shown at all: the password may be anywhere in it.
func Redact(servers string) string {
	parts := strings.Split(servers, ",")
	for i, part := range parts {
		parts[i] = redact(strings.TrimSpace(part))
	}
	return strings.Join(parts, ",")
}

func redact(server string) string {
	if !strings.Contains(server, "://") {
		server = "nats://" + server
	}
	u, err := url.Parse(server)
	if err != nil || u.Host == "" {
		return "(a URL that cannot be read)"
	}
	// A user name alone is a token, so it goes as well, and so does everything
	// that a server's URL has no use for.
	return (&url.URL{Scheme: u.Scheme, Host: u.Host}).String()
}
