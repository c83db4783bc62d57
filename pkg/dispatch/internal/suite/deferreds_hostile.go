package suite

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/driver/drivertest"
	"zasync/pkg/dispatch/internal/wire"
)

var hostileCases = []rigCase{
	{"MalformedMessageIsSetAsideHoweverLargeItsHeadersAre", largeMalformed},
	{"AnotherCallUnderAnIDIsSetAsideHoweverLargeItsHeadersAre", largeInUse},
	{"CommandThatMeansNothingIsSetAsideHoweverLargeItIs", largeCommand},
	{"MessageIsSetAsideWithLessWhereTheServerTakesLess", asideOnASmallServer},
	{"NoHeaderMakesAMessageComeForEver", extremeHeaders},
	{"NoWaitThatAHandlerAsksForMakesAMessageComeForEver", extremeWaits},
	{"ScheduleOfNoWorkersMakingIsMovedAtOnceOrSetAside", extremeSchedules},
	{"SubmissionThatClaimsTheFutureIsOfTheTimeItWasStored", submittedInTheFuture},
	{"HeartbeatsOfOthersDoNotStopTheSweep", foreignHeartbeats},
	{"SweeperWhoIsGoneIsFollowed", sweeperIsFollowed},
	{"FailureOfACallWithLargeArgumentsIsItsOwnWhereTheServerTakesLess", largeFailure},
	{"HeadersAreASCIIAndSayTheSame", asciiHeaders},
	{"LabelsAtTheirLimitTravelAsTheyAre", labelsAtTheLimit},
}

// aside is what was set aside.
func (r *rig) aside() (messages []driver.Delivery) {
	r.Helper()
	for d, err := range r.pair.Broker.Pending(r.ctx, driver.Page{Route: driver.Aside}) {
		if err != nil {
			r.Fatal(err)
		}
		messages = append(messages, d)
	}
	return messages
}

// isSetAside awaits one message set aside, and nothing left of it.
func (r *rig) isSetAside(reason string) driver.Delivery {
	r.Helper()
	drivertest.Eventually(r.T, "a message is set aside as "+reason, func() bool { return len(r.aside()) > 0 })
	r.nothingLeft()
	d := r.aside()[0]
	if said := d.Header[wire.HeaderReason]; d.Verb != reason || said == "" || len(said) > 1<<10 || d.Header[wire.HeaderSubject] == "" {
		r.Errorf("set aside as %s because %q, from %q; want %s", d.Verb, said, d.Header[wire.HeaderSubject], reason)
	}
	return d
}

func (r *rig) nothingLeft() {
	r.Helper()
	for _, route := range []driver.Route{driver.Ready, driver.Later, driver.Commands, driver.Due} {
		r.becomesEmpty(route)
	}
}

// hostile is a message of the lane greet with a header.
func hostile(route driver.Route, id deferred.ID, key, value string) driver.Message {
	return driver.Message{
		Route: route, Queue: deferred.DefaultQueue, Name: "greet", ID: id, Body: []byte(`1`), Header: map[string]string{key: value},
	}
}

func largeMalformed(r *rig) {
	r.perform(map[string]handler{"greet": succeeds(`1`)})
	many := map[string]string{}
	for i := range 1200 {
		many[fmt.Sprintf("Zasync-Unknown-%04d", i)] = strings.Repeat("x", 30)
	}
	for what, h := range map[string]map[string]string{
		"value": {wire.HeaderCallbacks: strings.Repeat("x", 65_300)},
		"name":  {"Zasync-" + strings.Repeat("X", 40_000): "x", wire.HeaderKeep: "1h"},
		"bytes": {"Zasync-Odd": strings.Repeat("\x7f\u00fc", 21_000)},
		"many":  many,
	} {
		id := deferred.ID("m-" + what)
		m := hostile(driver.Ready, id, "", "")
		m.Header = h
		r.put(m)
		r.failsWith(id, deferred.KindMalformed)
		if f := r.record(id).Failure; len(f.Message) > 2<<10 {
			r.Errorf("%s: the failure has %d bytes", what, len(f.Message))
		}
	}
	d := r.isSetAside("malformed")
	drivertest.Eventually(r.T, "all four are set aside", func() bool { return len(r.aside()) == 4 })
	for _, d = range r.aside() {
		if string(d.Body) != `1` {
			r.Errorf("its body is %q: only what is too large goes", d.Body)
		}
	}
}

func largeInUse(r *rig) {
	h := r.join(r.queue, "greet")
	r.submit(named("greet", "a"))
	h.succeed(h.claim())
	labels, _ := json.Marshal(map[string]string{"k": strings.Repeat("x", 4000)})
	m := hostile(driver.Ready, "a", wire.HeaderLabels, string(labels))
	m.Body = []byte(`"another"`)
	m.Header["Zasync-Callbacks"] = `[]` + strings.Repeat(" ", 30_000)
	m.Header["Zasync-Kinds"] = `[]` + strings.Repeat(" ", 31_400)
	m.Header["Zasync-After"], m.Header["Zasync-On"] = "a0", "failure"
	r.put(m)
	r.isSetAside("id-in-use")
}

func largeCommand(r *rig) {
	r.perform(nil)
	r.put(driver.Message{
		Route: driver.Commands, Verb: "add", ID: "a", Body: []byte(`[`),
		Header: map[string]string{"Zasync-Odd": strings.Repeat("x", 65_500)},
	})
	r.isSetAside("command")
}

// A server that takes less than what came, as after a change of its settings.
func asideOnASmallServer(r *rig) {
	for _, most := range []int{100_000, 10_000, 2_000, 0} {
		q := r.tap(tapped{put: func(m driver.Message) error {
			size := len(m.Body)
			for key, value := range m.Header {
				size += len(key) + len(value)
			}
			if m.Route == driver.Aside && size > most {
				return driver.ErrTooLarge
			}
			return nil
		}})
		h := r.join(q, "greet")
		m := hostile(driver.Ready, deferred.ID(fmt.Sprint("m-", most)), "Zasync-Odd", strings.Repeat("x", 30_000))
		m.Body = make([]byte, 150_000)
		r.put(m)
		r.failsWith(m.ID, deferred.KindMalformed)
		r.nothingLeft()
		h.leaveNow()
	}
	if n := len(r.aside()); n != 3 {
		r.Errorf("%d are set aside, want all but that of which the server takes nothing", n)
	}
}

func largeFailure(r *rig) {
	q := r.tap(tapped{write: func(w driver.Write) error {
		if len(w.Value) > 100_000 {
			return driver.ErrTooLarge
		}
		return nil
	}})
	h := r.join(q, "greet")
	c := named("greet", "a")
	c.Args = deferred.JSON([]byte(`"` + strings.Repeat("x", 200_000) + `"`))
	r.submit(c)
	h.fail(h.claim(), kindError("refused"))
	r.failsWith("a", "refused")
	if rec := r.record("a"); rec.Counts.Failures != 1 || !rec.Args.IsZero() {
		r.Errorf("it has %d failures, and arguments of %d bytes", rec.Counts.Failures, len(rec.Args.Data))
	}
}

// A worker of another kind writes heartbeats of its own, and sweeps nothing.
func foreignHeartbeats(r *rig) {
	for key, beat := range map[string]string{"0123": `{}`, "0124": `{"name":"py","incarnation":"0123","sweeps":true}`, "=other": `no JSON`} {
		r.beats(key, beat)
	}
	r.sweepsWith("greet")
}

// beats has a heartbeat written each second until the case ends.
func (r *rig) beats(incarnation, value string) {
	key := driver.Key{Space: driver.Workers, Name: incarnation}
	beat := func() {
		r.pair.Store.Write(r.ctx, []driver.Write{{Key: key, Value: []byte(value), Expect: driver.Unconditional}})
	}
	beat()
	tick := time.NewTicker(time.Second)
	go func() {
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				beat()
			case <-r.ctx.Done():
				return
			}
		}
	}()
}

// sweepsWith joins a worker that is to sweep, and waits until it has.
func (r *rig) sweepsWith(name string) *hand {
	r.Helper()
	for i := range int64(3) {
		r.write(deferred.ID(fmt.Sprint(name, "-", i)), func(rec *deferred.Record) { settledRecord(rec, deferred.Succeeded, i+1) })
	}
	h := r.join(dispatch.New(r.pair.Store, r.pair.Broker, dispatch.Config{
		Lease: r.pair.Lease, MaxRecords: 1, SweepEvery: 100 * time.Millisecond, Logger: silent(),
	}), name)
	drivertest.Eventually(r.T, "the oldest records are gone", func() bool { return r.record(deferred.ID(name+"-0")).ID == "" })
	return h
}

// Of two workers one sweeps; when it leaves, the other does.
func sweeperIsFollowed(r *rig) {
	first := r.sweepsWith("first")
	drivertest.Eventually(r.T, "the turn is taken", func() bool { return r.turns() == 1 })
	first.leaveNow()
	if r.turns() != 0 {
		r.Error("who left has the turn still")
	}
	r.sweepsWith("second")
	if workers, err := r.queue.Workers(r.ctx); err != nil || len(workers) != 1 {
		r.Errorf("%d workers are listed (%v), want one", len(workers), err)
	}
}

// turns is how many have the turn to sweep.
func (r *rig) turns() int {
	entries, err := r.pair.Store.Read(r.ctx, []driver.Key{{Space: driver.Workers, Name: "=sweeper"}})
	if err != nil {
		r.Fatal(err)
	}
	if entries[0].Revision == 0 {
		return 0
	}
	return 1
}
