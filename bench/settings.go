package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// settings are what the flags say.
type settings struct {
	only          []string
	n             int
	rounds        int
	slots         []int
	span          time.Duration
	due           int
	durability    string
	side          string
	profile       string
	serverProfile string
	json          bool
}

func (s *settings) parse(args []string, usage io.Writer) error {
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(usage)
	only := f.String("only", strings.Join(partNames(), ","), "the `parts` to measure")
	slots := f.String("slots", "10,100,1000", "how many calls the drained pool performs at once, a row for each `number`")
	f.IntVar(&s.n, "n", 50_000, "`calls` to submit and to drain in a round")
	f.IntVar(&s.rounds, "rounds", 3, "how often each side has its turn")
	f.DurationVar(&s.span, "span", 10*time.Second, "`time` of measuring latency, each side, all rounds together")
	f.IntVar(&s.due, "due", 2000, "delayed `calls`, due 500 a second")
	f.StringVar(&s.durability, "durability", "normal", "of the server: normal or `strict`")
	f.StringVar(&s.side, "side", "", "ours or floor: submit and drain only with that `one`, for a profile of it")
	f.StringVar(&s.profile, "cpuprofile", "", "write a profile of this process to the `file`; the label side is ours or floor")
	f.StringVar(&s.serverProfile, "serverprofile", "", "write a profile of the server to the `file`")
	f.BoolVar(&s.json, "json", false, "print JSON")
	if err := f.Parse(args); err != nil {
		return err
	}
	s.only = strings.Split(*only, ",")
	for _, word := range strings.Split(*slots, ",") {
		n, err := strconv.Atoi(word)
		if err != nil || n < 1 {
			return fmt.Errorf("-slots: %q is not a number from 1 up", word)
		}
		s.slots = append(s.slots, n)
	}
	return s.check()
}

func (s *settings) takesPart(side string) bool { return s.side == "" || s.side == side }

func (s *settings) check() error {
	for _, name := range s.only {
		if !slices.Contains(partNames(), name) {
			return fmt.Errorf("-only: there is no part %q; there are %s", name, strings.Join(partNames(), ", "))
		}
	}
	if !s.takesPart("ours") && !s.takesPart("floor") {
		return errors.New("-side is ours or floor")
	}
	if s.n < 1 || s.rounds < 1 || s.due < 1 {
		return errors.New("-n, -rounds and -due begin at 1")
	}
	if least := time.Duration(s.rounds) * time.Second / 2; s.span < least {
		return fmt.Errorf("-span of so many rounds begins at %s", least)
	}
	return nil
}
