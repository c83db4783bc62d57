package integration

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func readDocument(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// tableRows are the cells of the rows of a document's tables with so many
// columns at least, without heads and rules.
func tableRows(text string, columns int) (rows [][]string) {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if !strings.HasPrefix(line, "|") || strings.HasPrefix(line, "|-") || len(cells) < columns || i+1 < len(lines) && strings.HasPrefix(lines[i+1], "|-") {
			continue
		}
		for j := range cells {
			cells[j] = strings.TrimSpace(cells[j])
		}
		rows = append(rows, cells)
	}
	return rows
}

var quoted = regexp.MustCompile("`([\\w.]+)`")

// namesTests checks that each name which stands in backquotes is one of a test,
// and that there is one.
func namesTests(t *testing.T, row, text string, tests map[string]bool) {
	t.Helper()
	named := quoted.FindAllStringSubmatch(text, -1)
	if len(named) == 0 {
		t.Errorf("no test is named of %q", row)
	}
	for _, n := range named {
		if !tests[n[1]] && !tests["Test"+n[1]] {
			t.Errorf("there is no test %s, which %q names", n[1], row)
		}
	}
}

// TestEveryRowOfTheComparisonNamesATest: what the table says is held by tests
// that exist.
func TestEveryRowOfTheComparisonNamesATest(t *testing.T) {
	tests := testNames(t)
	rows := tableRows(readDocument(t, "../pkg/deferred/README.md"), 3)
	for _, cells := range rows {
		namesTests(t, cells[0], cells[len(cells)-1], tests)
	}
	if len(rows) < 20 {
		t.Errorf("the table has %d rows", len(rows))
	}
}

// TestEveryPromiseNamesItsTests: so is what is promised, and everything that
// the README promises is there.
func TestEveryPromiseNamesItsTests(t *testing.T) {
	tests := testNames(t)
	kept := map[string]bool{}
	rows := tableRows(readDocument(t, "README.md"), 5)
	for _, cells := range rows {
		kept[cells[1]] = true
		namesTests(t, cells[2], cells[3]+cells[4], tests)
	}
	if len(rows) < 20 {
		t.Errorf("the table has %d rows", len(rows))
	}
	_, promises, _ := strings.Cut(readDocument(t, "../README.md"), "## What is promised")
	promises, _, _ = strings.Cut(promises, "\n## ")
	numbers := regexp.MustCompile(`(?m)^(\d+)\. `).FindAllStringSubmatch(promises, -1)
	if len(numbers) < 8 {
		t.Errorf("the README promises %d things", len(numbers))
	}
	for _, n := range numbers {
		if !kept[n[1]] {
			t.Errorf("no row is about promise %s of the README", n[1])
		}
	}
}

// TestEveryRuleOfTheOrderOfWritesHasItsCase: the rules are numbered, and so are
// their cases.
func TestEveryRuleOfTheOrderOfWritesHasItsCase(t *testing.T) {
	_, rules, _ := strings.Cut(readDocument(t, "../ARCHITECTURE.md"), "## The order of writes")
	rules, _, _ = strings.Cut(rules, "\n## ")
	numbers := regexp.MustCompile(`(?m)^(\d+)\. `).FindAllStringSubmatch(rules, -1)
	if len(numbers) != 12 {
		t.Errorf("there are %d rules", len(numbers))
	}
	names := slices.Collect(maps.Keys(testNames(t)))
	for _, n := range numbers {
		rule := regexp.MustCompile("^Rule" + n[1] + "[A-Z]")
		if !slices.ContainsFunc(names, rule.MatchString) {
			t.Errorf("rule %s has no case", n[1])
		}
	}
}

// testNames are the functions that are tests, the cases of suites, and the
// scripts of the programs.
func testNames(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	test := regexp.MustCompile(`(?m)^func (Test\w+)\(|^\s*\{"(\w+)", \w+\},`)
	err := filepath.WalkDir("..", func(path string, _ fs.DirEntry, err error) error {
		if err == nil && filepath.Ext(path) == ".txtar" {
			names[filepath.Base(path)] = true
		}
		if err != nil || !strings.HasSuffix(path, ".go") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, m := range test.FindAllStringSubmatch(string(text), -1) {
			names[m[1]+m[2]] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}
