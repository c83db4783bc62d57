// Package wire turns calls, commands and schedules into messages and back. It owns the
// headers, and it is pure: no server, no clock, no log.
//
// [Encode] and [Decode] are each other's inverse for a call. [CommandMessage],
// [WakeMessage] and [ExpireMessage] are the words about a deferred; [Alarm] is a wake
// that the broker sends at a time. PROTOCOL.md says the same for other clients.
package wire
