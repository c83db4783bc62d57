package deferred_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"zasync/pkg/deferred"
)

// refused fails the test unless err is a typed error on the field, in words
// that a person can act on.
func refused(t *testing.T, err error, field deferred.Field) {
	t.Helper()
	var input *deferred.InputError
	var size *deferred.SizeError
	switch {
	case errors.As(err, &size):
		if size.Field != field {
			t.Errorf("the error is on the %s, want the %s: %v", size.Field, field, err)
		}
		if size.Size <= size.Limit {
			t.Errorf("%d is not over %d: %v", size.Size, size.Limit, err)
		}
	case errors.As(err, &input):
		if input.Field != field {
			t.Errorf("the error is on the %s, want the %s: %v", input.Field, field, err)
		}
	default:
		t.Errorf("got %v, want an InputError or a SizeError on the %s", err, field)
		return
	}
	readable(t, err, field)
}

// readable fails the test unless the text names the field, gives a rule and
// holds nothing that would upset a terminal or a log.
func readable(t *testing.T, err error, field deferred.Field) {
	t.Helper()
	text := err.Error()
	if !strings.HasPrefix(text, "deferred: ") || !strings.Contains(text, string(field)) {
		t.Errorf("the text names neither the package nor the %s: %s", field, text)
	}
	if !strings.Contains(text, "must") && !strings.Contains(text, "limit") && !strings.Contains(text, "reserved") && !strings.Contains(text, "such as") {
		t.Errorf("the text gives no rule: %s", text)
	}
	for _, c := range []byte(text) {
		if c < ' ' || c > '~' {
			t.Errorf("the text has the raw byte 0x%02x: %q", c, text)
			break
		}
	}
	if len(text) > 600 {
		t.Errorf("the text has %d bytes", len(text))
	}
}

func text(n int) string { return strings.Repeat("x", n) }

// jsonOf gives a JSON string of n bytes in all.
func jsonOf(n int) deferred.Content { return deferred.JSON([]byte(`"` + text(n-2) + `"`)) }

// callbacksOf gives callbacks that marshal to exactly n bytes.
func callbacksOf(t *testing.T, n int) []deferred.Callback {
	t.Helper()
	cb := []deferred.Callback{{On: deferred.OnSuccess, Call: deferred.Call{Name: "next", Args: jsonOf(2)}}}
	data, err := deferred.MarshalCallbacks(cb)
	if err != nil {
		t.Fatal(err)
	}
	cb[0].Call.Args = jsonOf(2 + n - len(data))
	return cb
}

func labelsOf(n int) map[string]string { return map[string]string{"k": text(n - 1 - 6)} }

func TestEachPartOfACallHasItsLimit(t *testing.T) {
	type sized struct {
		field deferred.Field
		limit int
		call  func(n int) deferred.Call
	}
	for _, test := range []sized{
		{deferred.FieldName, deferred.MaxNameLength, func(n int) deferred.Call { return deferred.Call{Name: text(n)} }},
		{deferred.FieldQueue, deferred.MaxNameLength, func(n int) deferred.Call { return deferred.Call{Name: "a", Queue: text(n)} }},
		{deferred.FieldID, deferred.MaxIDLength, func(n int) deferred.Call { return deferred.Call{Name: "a", ID: deferred.ID(text(n))} }},
		{deferred.FieldArgs, deferred.MaxArgsSize, func(n int) deferred.Call { return deferred.Call{Name: "a", Args: jsonOf(n)} }},
		{deferred.FieldCallbacks, deferred.MaxCallbacksSize, func(n int) deferred.Call { return deferred.Call{Name: "a", Callbacks: callbacksOf(t, n)} }},
		{deferred.FieldLabels, deferred.MaxLabelsSize, func(n int) deferred.Call { return deferred.Call{Name: "a", Labels: labelsOf(n)} }},
		{deferred.FieldLabelKey, deferred.MaxNameLength, func(n int) deferred.Call {
			return deferred.Call{Name: "a", Labels: map[string]string{text(n): ""}}
		}},
		{deferred.FieldContent, 128, func(n int) deferred.Call {
			return deferred.Call{Name: "a", Args: deferred.Content{Type: "text/" + text(n-5), Data: []byte("a")}}
		}},
		{deferred.FieldID, deferred.MaxIDLength, func(n int) deferred.Call {
			return deferred.Call{Name: "a", After: &deferred.After{Parent: deferred.ID(text(n)), On: deferred.OnBoth}}
		}},
	} {
		t.Run(string(test.field), func(t *testing.T) {
			for _, n := range []int{test.limit - 1, test.limit} {
				c := test.call(n)
				if err := c.Check(); err != nil {
					t.Errorf("%d bytes are refused: %v", n, err)
				}
			}
			c := test.call(test.limit + 1)
			err := c.Check()
			refused(t, err, test.field)
			var size *deferred.SizeError
			if errors.As(err, &size) && (size.Size != test.limit+1 || size.Limit != test.limit) {
				t.Errorf("the error speaks of %d over %d, want %d over %d", size.Size, size.Limit, test.limit+1, test.limit)
			}
		})
	}
}

func TestTermsHaveTheirLimits(t *testing.T) {
	at := func(year int) time.Time { return time.Date(year, 6, 1, 0, 0, 0, 0, time.UTC) }
	for _, test := range []struct {
		call  deferred.Call
		field deferred.Field // "" for a call that is accepted
	}{
		{deferred.Call{Delay: -1}, deferred.FieldDelay},
		{deferred.Call{Delay: 0}, ""},
		{deferred.Call{Delay: deferred.MaxDelay - 1}, ""},
		{deferred.Call{Delay: deferred.MaxDelay}, ""},
		{deferred.Call{Delay: deferred.MaxDelay + 1}, deferred.FieldDelay},
		{deferred.Call{NotBefore: at(1969)}, deferred.FieldTime},
		{deferred.Call{NotBefore: at(1970)}, ""},
		{deferred.Call{NotBefore: at(2200)}, ""},
		{deferred.Call{NotBefore: at(2201)}, deferred.FieldTime},
		{deferred.Call{BeginBy: at(1969)}, deferred.FieldTime},
		{deferred.Call{BeginBy: at(2200)}, ""},
		{deferred.Call{BeginBy: at(123456)}, deferred.FieldTime},
		{deferred.Call{Retries: deferred.NoRetries}, ""},
		{deferred.Call{Retries: deferred.MaxRetries - 1}, ""},
		{deferred.Call{Retries: deferred.MaxRetries}, ""},
		{deferred.Call{Retries: deferred.MaxRetries + 1}, deferred.FieldRetries},
		{deferred.Call{After: &deferred.After{Parent: "p", On: deferred.OnFailure}}, ""},
		{deferred.Call{After: &deferred.After{Parent: "p"}}, deferred.FieldBranch},
		{deferred.Call{After: &deferred.After{Parent: "p", On: "maybe\n"}}, deferred.FieldBranch},
		{deferred.Call{After: &deferred.After{On: deferred.OnBoth}}, deferred.FieldID},
	} {
		c := test.call
		c.Name = "a"
		err := c.Check()
		if test.field != "" {
			refused(t, err, test.field)
		} else if err != nil {
			t.Errorf("%+v: %v", test.call, err)
		}
	}
}

// hostile are names that somebody would like to smuggle in.
var hostile = []string{
	"", " ", "a b", "a.b", "*", ">", "a.*", "a.>", "$JS.API.STREAM.DELETE.ZASYNC_QUEUE", "$SYS", "a\r\nZasync-Retries: 9", "a\nb",
	"a\x00b", "\x1b[31mred", "a\u202egpj.exe", "a\u200bb", "ä", "a\xffb", "a\\b", `a"b`, "a'b", "a;b", "a%00b", "../a",
	"a\tb", "<script>", "a\u2028b", strings.Repeat("a", 5000), strings.Repeat("\x00", 5000),
}

func TestHostileNamesAreRefusedWhereverTheyStand(t *testing.T) {
	for _, s := range hostile {
		t.Run(fmt.Sprintf("%.20q", s), func(t *testing.T) {
			refused(t, deferred.CheckName(s), deferred.FieldName)
			refused(t, deferred.CheckQueue(s), deferred.FieldQueue)
			refused(t, deferred.ID(s).Check(), deferred.FieldID)
			refused(t, deferred.Note{Key: s, Value: json.RawMessage("1")}.Check(), deferred.FieldNoteKey)
			for field, c := range map[deferred.Field]deferred.Call{
				deferred.FieldName:     {Name: s},
				deferred.FieldQueue:    {Name: "a", Queue: s},
				deferred.FieldID:       {Name: "a", ID: deferred.ID(s)},
				deferred.FieldLabelKey: {Name: "a", Labels: map[string]string{s: "v"}},
				deferred.FieldBranch:   {Name: "a", Callbacks: []deferred.Callback{{On: deferred.Branch(s), Call: deferred.Call{Name: "b"}}}},
			} {
				if s == "" && (field == deferred.FieldQueue || field == deferred.FieldID) {
					continue // the default
				}
				if len(s) > 64 && field == deferred.FieldBranch {
					continue // too long to be shown whole
				}
				refused(t, c.Check(), field)
			}
		})
	}
}

func TestLabelsShowAsTheyAre(t *testing.T) {
	for _, v := range []string{"", "plain", "größe 👨‍👩‍👧", "日本", "a=b, c"} {
		c := deferred.Call{Name: "a", Labels: map[string]string{"k": v}}
		if err := c.Check(); err != nil {
			t.Error(err)
		}
	}
	for _, v := range []string{"a\nb", "\x1b[2J", "\u009b2J", "\x7f", "a\xff", "a\u202eb", "a\u2028b", "\x00"} {
		c := deferred.Call{Name: "a", Labels: map[string]string{"k": v}}
		refused(t, c.Check(), deferred.FieldLabels)
	}
}

func TestNotesHaveTheirLimits(t *testing.T) {
	value := func(n int) deferred.Note { return deferred.Note{Key: "k", Value: jsonOf(n).Data} }
	for _, n := range []deferred.Note{value(deferred.MaxNoteSize - 1), value(deferred.MaxNoteSize), {Key: text(64), Value: []byte("1")}} {
		if err := n.Check(); err != nil {
			t.Error(err)
		}
	}
	refused(t, value(deferred.MaxNoteSize+1).Check(), deferred.FieldNote)
	refused(t, deferred.Note{Key: "a/b", Value: []byte("1")}.Check(), deferred.FieldNoteKey)
	for _, v := range []string{"", "{", "1 2", "\"\xff\"", strings.Repeat("[", 1001) + strings.Repeat("]", 1001)} {
		refused(t, deferred.Note{Key: "k", Value: []byte(v)}.Check(), deferred.FieldNote)
	}
}

func TestCallbacksMustNotNameWhatFollowsFromTheirParent(t *testing.T) {
	for _, cb := range []deferred.Call{
		{Name: "b", ID: "mine"},
		{Name: "b", After: &deferred.After{Parent: "p", On: deferred.OnBoth}},
	} {
		c := deferred.Call{Name: "a", Callbacks: []deferred.Callback{{On: deferred.OnBoth, Call: cb}}}
		refused(t, c.Check(), deferred.FieldCallbacks)
	}
}

func TestAnErrorInACallbackSaysInWhich(t *testing.T) {
	bad := deferred.Call{Name: "b", Args: deferred.JSON([]byte("{"))}
	c := deferred.Call{Name: "a", Callbacks: []deferred.Callback{
		{On: deferred.OnBoth, Call: deferred.Call{Name: "b"}},
		{On: deferred.OnBoth, Call: deferred.Call{Name: "b", Callbacks: []deferred.Callback{{On: deferred.OnSuccess, Call: bad}}}},
	}}
	err := c.Check()
	refused(t, err, deferred.FieldArgs)
	if !strings.Contains(err.Error(), "callback 1: deferred: callback 0: ") {
		t.Errorf("the text does not say where: %v", err)
	}
}

// chain hangs n callbacks one on another.
func chain(n int) []deferred.Callback {
	var below []deferred.Callback
	for range n {
		below = []deferred.Callback{{On: deferred.OnBoth, Call: deferred.Call{Name: "n", Callbacks: below}}}
	}
	return below
}

func TestDeepChainsOfCallbacksAreCheckedInOneGo(t *testing.T) {
	c := deferred.Call{Name: "a", Callbacks: chain(700)}
	if err := c.Check(); err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(1, func() { _ = c.Check() }); n > 20_000 {
		t.Errorf("checking 700 callbacks takes %v allocations: it grows with the square of the depth", n)
	}
	c.Callbacks = chain(900)
	refused(t, c.Check(), deferred.FieldCallbacks)
}

func TestCallbacksThatHoldThemselvesAreRefused(t *testing.T) {
	c := deferred.Call{Name: "a", Callbacks: []deferred.Callback{{On: deferred.OnBoth, Call: deferred.Call{Name: "b"}}}}
	c.Callbacks[0].Call.Callbacks = c.Callbacks
	var input *deferred.InputError
	if err := c.Check(); !errors.As(err, &input) || input.Field != deferred.FieldCallbacks {
		t.Errorf("got %.200v, want an InputError on the callbacks", err)
	}
}

func TestCallsHaveDefaults(t *testing.T) {
	var c deferred.Call
	if got := c.QueueName(); got != "default" {
		t.Errorf("queue %q", got)
	}
	for retries, want := range map[int]int{0: 10, deferred.NoRetries: 0, -5: 0, 1: 1, 99: 99} {
		c.Retries = retries
		if got := c.RetryLimit(); got != want {
			t.Errorf("Retries %d allow %d, want %d", retries, got, want)
		}
	}
}

func TestNoteKeyMayBeOfSoManyBytesAndNoMore(t *testing.T) {
	for extra := -1; extra <= 1; extra++ {
		err := deferred.Note{Key: strings.Repeat("k", deferred.MaxNameLength+extra), Value: []byte("1")}.Check()
		var size *deferred.SizeError
		if tooLong := errors.As(err, &size); tooLong != (extra > 0) {
			t.Errorf("a key of %d bytes: %v", deferred.MaxNameLength+extra, err)
		}
	}
}
