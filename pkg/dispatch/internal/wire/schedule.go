package wire

import (
	"cmp"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
)

const (
	// ScheduleLead is how long before its time a schedule fires. The server fires in
	// steps of a quarter of a second; a worker waits for the rest.
	ScheduleLead = 500 * time.Millisecond
	// LongestLead is the longest time for which a worker waits after a schedule fired.
	// A worker stores no schedule with a longer lead.
	LongestLead = 3 * time.Second
)

// CheckDue reports why a message that became due can never move to a lane.
func CheckDue(d *driver.Delivery) error {
	if id := d.Header[HeaderWake]; id != "" {
		return deferred.ID(id).Check()
	}
	return cmp.Or(deferred.CheckQueue(d.Queue), deferred.CheckName(d.Name), d.ID.Check())
}

// Alarm is the schedule of a wake. Its id differs from the id of the call's schedule: a
// slow worker that stores an alarm late must not replace that schedule. Every schedule
// names a lane, so an alarm has a queue and a name too.
func Alarm(r *deferred.Record, until time.Time) driver.Message {
	m := driver.Message{
		Route: driver.Delay, Queue: r.Queue, Name: r.Name, ID: AlarmID(r.ID), At: until.Add(-ScheduleLead),
		Header: map[string]string{HeaderWake: string(r.ID)},
	}
	putTime(m.Header, HeaderDue, until)
	return m
}

// AlarmID is the id of the alarm of a deferred: the id of a callback with an index that
// no callback has.
func AlarmID(id deferred.ID) deferred.ID { return deferred.ChildID(id, -1) }
