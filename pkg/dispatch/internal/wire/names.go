package wire

import (
	"cmp"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
)

// Origin is the route and the names of a message, joined by dots, for people.
func Origin(m *driver.Message) string {
	s := string(m.Route)
	for _, token := range []string{m.Queue, m.Name, m.Verb, string(m.ID)} {
		if token != "" {
			s += "." + token
		}
	}
	return s
}

// BringsCall reports whether a message carries a call, and not a command about one.
func BringsCall(m *driver.Message) bool {
	return m.Route != driver.Aside && (m.Route != driver.Commands || m.Verb == driver.VerbJoin)
}

// CallNames gives the queue and the name of the call that a message carries.
func CallNames(m *driver.Message) (queue, name string) {
	if m.Route == driver.Commands {
		return cmp.Or(m.Header[HeaderQueue], deferred.DefaultQueue), m.Header[HeaderName]
	}
	return m.Queue, m.Name
}
