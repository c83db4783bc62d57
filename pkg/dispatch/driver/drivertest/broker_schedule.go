package drivertest

import (
	"testing"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
)

var scheduleTests = []brokerTest{
	{"a schedule becomes due at its time", firesSchedules},
	{"a schedule of a time that has passed becomes due", firesLateSchedules},
	{"a schedule of the first second of all becomes due", firesFirstSecond},
	{"a schedule of a year that no server knows is refused", refusesFarSchedules},
	{"a schedule replaces the earlier one of its id", replacesSchedules},
	{"a schedule that is removed does not fire", removesSchedules},
	{"a unique schedule is refused while the id has one", refusesSecondSchedules},
	{"a message that became due is given back like any other", givesBackDue},
}

// schedule is a message that fires after a while.
func schedule(id deferred.ID, after time.Duration) driver.Message {
	m := call(driver.Lane{Route: driver.Delay}, id)
	m.At = time.Now().Add(after)
	m.Header = map[string]string{"Content-Type": "text/plain", "Zasync-Note": "kept"}
	return m
}

// fires compares a delivery with the schedule that it must come from.
func fires(t *testing.T, d driver.Delivery, s driver.Message) {
	t.Helper()
	want := s
	want.Route = driver.Due
	carries(t, d, want)
	if d.Got.Before(s.At) {
		t.Fatalf("it came at %v, before its time %v", d.Got, s.At)
	}
}

func firesSchedules(t *testing.T, b bench) {
	sub := b.subscribe(5, due)
	s := schedule("a", b.lease/2)
	b.put(s)
	fires(t, sub.finish(), s)
	sub.nothing("the schedule fired already")
	Eventually(t, "nothing is left", func() bool { return len(b.find("a")) == 0 })
}

func firesLateSchedules(t *testing.T, b bench) {
	s := schedule("a", -time.Hour)
	b.put(s)
	Eventually(t, "the schedule becomes due", func() bool {
		found := b.find("a")
		return len(found) == 1 && found[0].Route == driver.Due
	})
	fires(t, b.subscribe(1, due).take(), s)
}

func firesFirstSecond(t *testing.T, b bench) {
	s := schedule("a", 0)
	s.At = time.Unix(0, 0)
	b.put(s)
	fires(t, b.subscribe(1, due).take(), s)
}

func refusesFarSchedules(t *testing.T, b bench) {
	for _, at := range []time.Time{time.Date(2201, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)} {
		s := schedule("a", 0)
		s.At = at
		if _, err := b.try(s); err == nil {
			t.Errorf("a schedule for %v was stored", at)
		}
	}
}

func replacesSchedules(t *testing.T, b bench) {
	sub := b.subscribe(5, due)
	later, sooner := schedule("a", time.Hour), schedule("a", b.lease)
	sooner.Body, sooner.Name = []byte("sooner"), "other"
	b.put(later, sooner)
	fires(t, sub.finish(), sooner)

	// The next one needs a start that no stall eats up.
	early, late := schedule("b", 2*b.lease), schedule("b", 3*b.lease)
	late.Header["Zasync-Note"] = "replaced"
	b.put(early, late)
	fires(t, sub.finish(), late)
	sub.nothing("each id had one schedule")
}

func removesSchedules(t *testing.T, b bench) {
	ctx, cancel := Patiently(t)
	defer cancel()
	sub := b.subscribe(5, due)
	removed, kept := schedule("removed", 2*b.lease), schedule("kept", 2*b.lease+time.Millisecond)
	b.put(removed, kept)
	for range 2 { // the second time there is none
		if err := b.Remove(ctx, "removed"); err != nil {
			t.Fatalf("remove: %v", err)
		}
	}
	if found := b.find("removed"); len(found) > 0 {
		t.Fatalf("a schedule that was removed is found: %+v", found)
	}
	fires(t, sub.finish(), kept)
	sub.nothing("the other schedule was removed")
}

func refusesSecondSchedules(t *testing.T, b bench) {
	ctx, cancel := Patiently(t)
	defer cancel()
	first, second := schedule("a", time.Hour), schedule("a", -time.Hour)
	first.Unique, second.Unique = true, true
	second.Queue, second.Name = "other", "other" // the id alone counts
	b.put(first)
	b.exists(second)
	if found := b.find("a"); len(found) != 1 || !found[0].At.Equal(first.At) {
		t.Fatalf("the first schedule does not stand: %+v", found)
	}
	if err := b.Remove(ctx, "a"); err != nil {
		t.Fatalf("remove: %v", err)
	}
	b.put(second)
	fires(t, b.subscribe(1, due).take(), second)
	b.put(first) // what is due is no schedule any more
}

func givesBackDue(t *testing.T, b bench) {
	sub := b.subscribe(1, due)
	s := schedule("a", 0)
	b.put(s)
	d := sub.take()
	b.giveBack(d, 0)
	sub.Release(due, 1)
	again := sub.finish()
	fires(t, again, s)
	if again.Seq != d.Seq || again.Deliveries <= d.Deliveries {
		t.Fatalf("sequence %d comes the %d. time after %d the %d. time", again.Seq, again.Deliveries, d.Seq, d.Deliveries)
	}
}
