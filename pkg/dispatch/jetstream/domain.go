package jetstream

import (
	"strings"

	"zasync/pkg/deferred"

	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"
)

// checkAPI checks that the domain and the API prefix can be part of a subject.
func (c Config) checkAPI() error {
	if strings.ContainsAny(c.Domain, " \t\r\n.*>") {
		return &deferred.InputError{Field: "domain", Value: c.Domain, Rule: `must be without blanks, ".", "*" and ">"`}
	}
	tokens := strings.Split(strings.TrimSuffix(c.APIPrefix, "."), ".")
	for _, token := range tokens {
		if c.APIPrefix != "" && (token == "" || strings.ContainsAny(token, " \t\r\n*>")) {
			return &deferred.InputError{Field: "API prefix", Value: c.APIPrefix, Rule: `must be tokens with dots between them, without blanks, "*" and ">"`}
		}
	}
	if c.Domain != "" && c.APIPrefix != "" {
		return &deferred.InputError{Field: "API prefix", Value: c.APIPrefix, Rule: "cannot stand beside a domain, which has a prefix of its own"}
	}
	return nil
}

// api returns the JetStream client of the configured domain or API prefix.
func (c Config) api(nc *nats.Conn) (natsjs.JetStream, error) {
	switch {
	case c.Domain != "":
		return natsjs.NewWithDomain(nc, c.Domain)
	case c.APIPrefix != "":
		return natsjs.NewWithAPIPrefix(nc, c.APIPrefix)
	}
	return natsjs.New(nc)
}
