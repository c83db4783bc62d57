package deferred

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Check reports the first rule that the call breaks, as an [*InputError] or a
// [*SizeError]. What passes can be stored.
func (c *Call) Check() error { return c.checkWhole(escapes) }

// CheckSent is Check for a call that was sent: its sender may have spelt in UTF-8
// what counts as ASCII otherwise.
func (c *Call) CheckSent() error { return c.checkWhole(func(string) int { return 0 }) }

// checkWhole also measures what travels in headers, with what is added to it there.
func (c *Call) checkWhole(added func(string) int) error {
	if err := c.check(0); err != nil {
		return err
	}
	size := labelsSize(c.Labels)
	for _, v := range c.Labels {
		size += added(v)
	}
	if size > MaxLabelsSize {
		return &SizeError{Field: FieldLabels, Size: size, Limit: MaxLabelsSize}
	}
	if len(c.Callbacks) == 0 {
		return nil
	}
	// Measured once, for the whole tree: at each level of it, the cost would
	// grow with the square of the depth.
	data, err := MarshalCallbacks(c.Callbacks)
	if err != nil {
		return err
	}
	if n := len(data) + added(string(data)); n > MaxCallbacksSize {
		return &SizeError{Field: FieldCallbacks, Size: n, Limit: MaxCallbacksSize}
	}
	return nil
}

// escapes is by how much a text grows in a header: what is not ASCII is spelt there as
// \u and four digits, twice if it is beyond the first 65,536 characters.
func escapes(s string) (more int) {
	for _, r := range s {
		switch {
		case r < 0x7f:
		case r > 0xffff:
			more += 2*len(`\uffff`) - utf8.RuneLen(r)
		default:
			more += len(`\uffff`) - utf8.RuneLen(r)
		}
	}
	return more
}

func (c *Call) check(depth int) error {
	if err := CheckName(c.Name); err != nil {
		return err
	}
	if err := CheckQueue(c.QueueName()); err != nil {
		return err
	}
	if c.ID != "" {
		if err := c.ID.Check(); err != nil {
			return err
		}
	}
	if err := c.checkTerms(); err != nil {
		return err
	}
	if err := c.checkAfter(); err != nil {
		return err
	}
	if len(c.Args.Data) > MaxArgsSize {
		return &SizeError{Field: FieldArgs, Size: len(c.Args.Data), Limit: MaxArgsSize}
	}
	if err := c.Args.check(FieldArgs); err != nil {
		return err
	}
	if err := checkLabels(c.Labels); err != nil {
		return err
	}
	if err := c.checkKind(depth); err != nil {
		return err
	}
	return c.checkCallbacks(depth)
}

// checkKind checks what is a join or a promise, and so no callback.
func (c *Call) checkKind(depth int) error {
	switch {
	case c.Join == nil && c.Promise == "":
		return nil
	case depth > 0:
		return &InputError{Field: FieldCallbacks, Value: c.Name, Rule: "must be calls: a join and a promise are submitted by themselves"}
	case c.Promise != "":
		return c.checkPromise()
	}
	return c.Join.check(c)
}

func (c *Call) checkTerms() error {
	if err := checkTime("deadline", c.Deadline); err != nil {
		return err
	}
	if c.Timeout < 0 || c.Timeout > MaxDelay {
		return &InputError{Field: FieldTimeout, Value: c.Timeout.String(), Rule: fmt.Sprintf("must lie between 0 and %s", MaxDelay)}
	}
	if c.Keep < 0 || c.Keep > 0 && c.Keep < MinKeep || c.Keep > MaxDelay {
		return &InputError{Field: FieldKeep, Value: c.Keep.String(), Rule: fmt.Sprintf("must lie between %s and %s", MinKeep, MaxDelay)}
	}
	if err := checkTime("not-before", c.NotBefore); err != nil {
		return err
	}
	if err := checkTime("begin-by", c.BeginBy); err != nil {
		return err
	}
	if c.Delay < 0 || c.Delay > MaxDelay {
		return &InputError{Field: FieldDelay, Value: c.Delay.String(), Rule: fmt.Sprintf("must lie between 0 and %s", MaxDelay)}
	}
	if c.Retries > MaxRetries {
		return &InputError{Field: FieldRetries, Value: fmt.Sprint(c.Retries), Rule: fmt.Sprintf("must be at most %d", MaxRetries)}
	}
	return nil
}

func checkTime(what string, t time.Time) error {
	if y := t.UTC().Year(); t.IsZero() || y >= 1970 && y <= 2200 {
		return nil
	}
	return &InputError{Field: FieldTime, Value: t.Format(time.RFC3339), Rule: "of " + what + " must lie between the years 1970 and 2200"}
}

func (c *Call) checkAfter() error {
	if c.After == nil {
		return nil
	}
	if err := c.After.On.check(); err != nil {
		return err
	}
	if err := checkKinds(c.After.On, c.After.Kinds); err != nil {
		return err
	}
	if c.ID != "" && c.After.Parent == c.ID {
		return &InputError{Field: FieldID, Value: string(c.ID), Rule: "must not be that of the deferred which the call follows"}
	}
	return c.After.Parent.Check()
}

func checkKinds(on Branch, kinds []string) error {
	for _, k := range kinds {
		if k == "" || len(k) > MaxNameLength || !utf8.ValidString(k) {
			return &InputError{Field: FieldKinds, Value: k, Rule: fmt.Sprintf("must be 1 to %d bytes of UTF-8 each", MaxNameLength)}
		}
	}
	if len(kinds) > maxKinds || len(kinds) > 0 && on != OnFailure && on != OnSkipped {
		return &InputError{Field: FieldKinds, Value: strings.Join(kinds, ", "), Rule: fmt.Sprintf("select among failures, on a branch for them, %d at most", maxKinds)}
	}
	return nil
}

const maxKinds = 32

func (b Branch) check() error {
	if b == OnSuccess || b == OnFailure || b == OnBoth || b == OnSkipped {
		return nil
	}
	return &InputError{Field: FieldBranch, Value: string(b), Rule: `must be "success", "failure", "both" or "skipped"`}
}

func checkLabels(labels map[string]string) error {
	size := 0
	for k, v := range labels {
		size += len(k) + len(v) + escapes(v) + strings.Count(v, `"`) + strings.Count(v, `\`) + 6
		if err := checkToken(FieldLabelKey, k, true); err != nil {
			return err
		}
		for _, r := range v {
			if !showable(r) {
				return &InputError{Field: FieldLabels, Value: v, Rule: fmt.Sprintf("under %q must be printable UTF-8 text", k)}
			}
		}
	}
	if size := labelsSize(labels); size > MaxLabelsSize {
		return &SizeError{Field: FieldLabels, Size: size, Limit: MaxLabelsSize}
	}
	return nil
}

func labelsSize(labels map[string]string) (size int) {
	for k, v := range labels {
		size += len(k) + len(v) + 6
	}
	return size
}

// showable keeps out what would change a terminal, or the order of the text
// around it, wherever the label is shown. What is not UTF-8 ranges as U+FFFD.
func showable(r rune) bool {
	return r != unicode.ReplacementChar && !unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp, unicode.Bidi_Control)
}

func (c *Call) checkCallbacks(depth int) error {
	if depth > maxNesting { // a slice may hold itself
		return &InputError{Field: FieldCallbacks, Rule: fmt.Sprintf("must not be nested deeper than %d", maxNesting)}
	}
	for i := range c.Callbacks {
		cb := &c.Callbacks[i]
		if err := cb.check(depth + 1); err != nil {
			return fmt.Errorf("deferred: callback %d: %w", i, err)
		}
	}
	return nil
}

func (cb *Callback) check(depth int) error {
	if err := cb.On.check(); err != nil {
		return err
	}
	if err := checkKinds(cb.On, cb.Kinds); err != nil {
		return err
	}
	if cb.Call.ID != "" || cb.Call.After != nil {
		return &InputError{Field: FieldCallbacks, Value: cb.Call.Name, Rule: "must not name an id or a parent: both follow from the call they hang on"}
	}
	return cb.Call.check(depth)
}

// CheckName reports an [*InputError] or a [*SizeError] unless name is 1 to 64
// letters, digits, "_", "-" and "/". Queue names and call names obey the same rule.
func CheckName(name string) error { return checkToken(FieldName, name, true) }

// CheckQueue is [CheckName] for the name of a queue.
func CheckQueue(name string) error { return checkToken(FieldQueue, name, true) }

func checkToken(field Field, s string, slash bool) error {
	rule := `letters, digits, "_" and "-"`
	if slash {
		rule = `letters, digits, "_", "-" and "/"`
	}
	switch {
	case s == "":
		return &InputError{Field: field, Rule: "must not be empty: use " + rule}
	case len(s) > MaxNameLength:
		return &SizeError{Field: field, Size: len(s), Limit: MaxNameLength}
	}
	for i := range len(s) {
		c := s[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-' || slash && c == '/' {
			continue
		}
		return &InputError{Field: field, Value: s, Rule: "must be of " + rule + " only"}
	}
	return nil
}
