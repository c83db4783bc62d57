package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestMain makes the test program the server when the bench starts itself.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == serveCommand {
		os.Exit(serve(os.Args[2:]))
	}
	os.Exit(m.Run())
}

func TestEveryPartIsMeasured(t *testing.T) {
	var out bytes.Buffer
	args := []string{"-json", "-n", "200", "-rounds", "1", "-slots", "10", "-span", "1s", "-due", "20"}
	if err := run(t.Context(), args, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	var report struct {
		Machine machine `json:"machine"`
		Rows    []row   `json:"rows"`
	}
	if err := json.Unmarshal(out.Bytes(), &report); err != nil {
		t.Fatal(err)
	}
	if report.Machine.Server == "" || report.Machine.Cores == 0 {
		t.Errorf("the machine is %+v", report.Machine)
	}
	var names []string
	for _, r := range report.Rows {
		names = append(names, r.What)
		if r.Unit == perSecond && (r.Ours <= 0 || r.Floor <= 0 || r.Ratio <= 0) {
			t.Errorf("%s: ours %v, floor %v, ratio %v", r.What, r.Ours, r.Floor, r.Ratio)
		}
	}
	want := []string{
		"submit, 64 callers", "submit, bulk", "drain, tracked, 10 slots",
		"latency p50", "latency p99", "latency max", "latency p50, floor without claim", "latency p99, floor without claim",
		"delayed, started early", "delayed, lateness p50", "delayed, lateness p99",
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}

// The floor would be too low if it wrote less, too high if it wrote more.
func TestFloorWritesRecordsLikeOurs(t *testing.T) {
	b := &bench{notes: io.Discard, settings: settings{durability: "normal"}}
	var err error
	if b.server, err = startServer(t.Context(), "normal", ""); err != nil {
		t.Fatal(err)
	}
	defer b.server.stop()
	p, err := b.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer p.close(t.Context())
	if err := p.fill(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if err := p.performAll(t.Context(), 1, 1); err != nil {
		t.Fatal(err)
	}
	stream, err := p.js.Stream(t.Context(), p.recordStream())
	if err != nil {
		t.Fatal(err)
	}
	ours, err := stream.GetLastMsgForSubject(t.Context(), p.recordSubject("*"))
	if err != nil {
		t.Fatal(err)
	}
	_, commit, err := recordPair()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := shape(t, commit), shape(t, ours.Data); !cmp.Equal(got, want) {
		t.Errorf("record of the floor (-ours +floor):\n%s", cmp.Diff(want, got))
	}
}

// shape is a record without what differs from one to the next.
func shape(t *testing.T, record []byte) map[string]string {
	t.Helper()
	var members map[string]json.RawMessage
	if err := json.Unmarshal(record, &members); err != nil {
		t.Fatal(err)
	}
	s := map[string]string{}
	for key, value := range members {
		switch key {
		case "submitted", "started", "settled": // a fraction of a second ends where its zeros do
			s[key] = "a time"
		case "id", "digest", "token":
			s[key] = strconv.Itoa(len(value)) + " bytes"
		default:
			s[key] = string(value)
		}
	}
	return s
}

func TestMedianIsOfTheRatiosOfEachRound(t *testing.T) {
	r := row{Bar: atLeast(0.6), Rounds: []round{
		{Ours: turn{Rate: 10}, Floor: turn{Rate: 20}},
		{Ours: turn{Rate: 90}, Floor: turn{Rate: 100}},
		{Ours: turn{Rate: 70}, Floor: turn{Rate: 100}},
	}}
	r.conclude()
	if r.Ours != 70 || r.Floor != 100 || r.Ratio != 0.7 || !r.OK {
		t.Errorf("ours %v, floor %v, ratio %v, ok %v", r.Ours, r.Floor, r.Ratio, r.OK)
	}
}

func TestBarIsMissed(t *testing.T) {
	for _, r := range []row{
		countRow("early", atMost(0), 1),
		timeRow("late", atMost(3), 3001*time.Microsecond, 0),
	} {
		if r.OK {
			t.Errorf("%s: %v is taken for good enough", r.What, r.Ours)
		}
	}
}

func TestArgumentsAreJSONOfOneSizeWithTheirNumber(t *testing.T) {
	for _, number := range []int{0, 7, 49_999} {
		a := args(number)
		if len(a) != argsSize || !json.Valid(a) {
			t.Errorf("args(%d) are %d bytes: %s", number, len(a), a)
		}
		if got, err := numberOf(a); got != number || err != nil {
			t.Errorf("numberOf(args(%d)) = %d, %v", number, got, err)
		}
	}
}
