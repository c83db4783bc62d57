package integration

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// PROTOCOL.md is held to the code: whoever writes a client from it has nothing
// else.

const protocol = "../PROTOCOL.md"

func TestEveryGoldenFileIsLinkedFromTheProtocol(t *testing.T) {
	text := readDocument(t, protocol)
	links := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^\[([\w.-]+)\]: (\S+)$`).FindAllStringSubmatch(text, -1) {
		if links[m[1]] != "" {
			t.Errorf("%s is linked to two files", m[1])
		}
		links[m[1]] = m[2]
	}
	var files []string
	for _, folder := range []string{"pkg/dispatch", "pkg/deferred"} {
		found, err := filepath.Glob("../" + folder + "/testdata/golden/*.json")
		if err != nil || len(found) == 0 {
			t.Fatal("no files", err)
		}
		files = append(files, found...)
	}
	for _, f := range files {
		name := filepath.Base(f)
		if links[name] != strings.TrimPrefix(f, "../") {
			t.Errorf("%s leads to %q, not to %s", name, links[name], f)
		}
		if named := strings.Count(text, "["+name+"]"); named < 2 { // the link itself is one
			t.Errorf("%s is named nowhere", name)
		}
		delete(links, name)
	}
	for name, file := range links {
		t.Errorf("%s leads to %s, which is no golden file", name, file)
	}
}

func TestTheProtocolKnowsTheHeadersOfTheCode(t *testing.T) {
	header := regexp.MustCompile(`\bZasync(-[A-Z][a-z]+)+\b`)
	documented := map[string]bool{}
	for _, h := range header.FindAllString(readDocument(t, protocol), -1) {
		documented[h] = true
	}
	written := map[string]bool{}
	for _, dir := range []string{"../pkg/dispatch", "../pkg/dispatch/internal/wire", "../pkg/dispatch/jetstream", "../pkg/deferred"} {
		eachFile(t, dir, func(f *ast.File) {
			ast.Inspect(f, func(n ast.Node) bool {
				if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING {
					if s, err := strconv.Unquote(l.Value); err == nil && header.FindString(s) == s && s != "" {
						written[s] = true
					}
				}
				return true
			})
		})
	}
	if len(written) < 20 {
		t.Errorf("the code has %d headers", len(written))
	}
	differ(t, "header", documented, written)
}

// Every field of what is stored or sent is documented; and the tables, in which
// a client looks fields up, have no others.
func TestTheProtocolKnowsTheFieldsOfTheCode(t *testing.T) {
	text := readDocument(t, protocol)
	types := map[string]map[string]bool{}
	for _, dir := range []string{"../pkg/deferred", "../pkg/dispatch"} {
		eachFile(t, dir, func(f *ast.File) { maps.Copy(types, fieldsOf(f)) })
	}
	for name, fields := range types {
		for field := range fields {
			if !regexp.MustCompile("[`\"]" + field + "[`\"]").MatchString(text) {
				t.Errorf("the field %s of %s is not documented", field, name)
			}
		}
	}
	differ(t, "field of a record", column(text, "## Status", 0), types["recordJSON"])
	differ(t, "field of a command", column(text, "## Commands", 1), types["commandJSON"])
	callback := maps.Clone(types["callJSON"])
	for _, mark := range []string{"id", "waiter", "fired", "settled"} { // only in records
		delete(callback, mark)
	}
	differ(t, "field of a callback", column(text, "## Callbacks", 0), callback)
}

func TestTheProtocolKnowsTheVerbsStatesModesAndKindsOfTheCode(t *testing.T) {
	text := readDocument(t, protocol)
	constants := map[string]map[string]bool{}
	for _, dir := range []string{"../pkg/deferred", "../pkg/dispatch"} {
		eachFile(t, dir, func(f *ast.File) { constantsOf(f, constants) })
	}
	delete(constants["Verb"], "attach") // is no verb of the wire
	for _, kind := range []string{"Verb", "State", "JoinMode", "Branch", "Kind"} {
		if len(constants[kind]) < 4 {
			t.Errorf("the code has %d of the type %s", len(constants[kind]), kind)
		}
		for value := range constants[kind] {
			if !strings.Contains(text, "`"+value+"`") && !strings.Contains(text, "zasync.do."+value+".") {
				t.Errorf("the %s %q is not documented", kind, value)
			}
		}
	}
}

func differ(t *testing.T, what string, documented, written map[string]bool) {
	t.Helper()
	for name := range documented {
		if !written[name] {
			t.Errorf("%s is documented as a %s, and is none", name, what)
		}
	}
	for name := range written {
		if !documented[name] {
			t.Errorf("%s is a %s that is not documented", name, what)
		}
	}
}

// column has the names in backquotes of a column of the first table of a section.
func column(text, section string, at int) map[string]bool {
	_, text, _ = strings.Cut(text, "\n"+section+"\n")
	text, _, _ = strings.Cut(text, "\n## ")
	_, text, _ = strings.Cut(text, "\n|-")
	text, _, _ = strings.Cut(text, "\n\n")
	names := map[string]bool{}
	for _, cells := range tableRows(text, at+1) {
		for _, m := range quoted.FindAllStringSubmatch(cells[at], -1) {
			names[m[1]] = true
		}
	}
	return names
}

func eachFile(t *testing.T, dir string, look func(*ast.File)) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	entries = slices.DeleteFunc(entries, func(e fs.DirEntry) bool {
		return filepath.Ext(e.Name()) != ".go" || strings.HasSuffix(e.Name(), "_test.go")
	})
	for _, e := range entries {
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(dir, e.Name()), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		look(f)
	}
}

// fieldsOf gives the names that fields of structs have as JSON, by the name of
// the type, or of the function in which it has none.
func fieldsOf(f *ast.File) map[string]map[string]bool {
	types := map[string]map[string]bool{}
	for _, d := range f.Decls {
		owner := ""
		if fn, ok := d.(*ast.FuncDecl); ok {
			owner = fn.Name.Name
		}
		ast.Inspect(d, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.TypeSpec:
				owner = n.Name.Name
			case *ast.Field:
				if name := jsonName(n); name != "" {
					if types[owner] == nil {
						types[owner] = map[string]bool{}
					}
					types[owner][name] = true
				}
			}
			return true
		})
	}
	return types
}

func jsonName(f *ast.Field) string {
	if f.Tag == nil {
		return ""
	}
	tag, err := strconv.Unquote(f.Tag.Value)
	if err != nil {
		return ""
	}
	name, _, _ := strings.Cut(reflect.StructTag(tag).Get("json"), ",")
	return strings.Trim(name, "-")
}

// constantsOf gathers the values of constants by their type; those that have
// none and are called Kind something are kinds of failure.
func constantsOf(f *ast.File, into map[string]map[string]bool) {
	ast.Inspect(f, func(n ast.Node) bool {
		v, ok := n.(*ast.ValueSpec)
		if !ok || len(v.Values) != 1 {
			return true
		}
		l, ok := v.Values[0].(*ast.BasicLit)
		if !ok || l.Kind != token.STRING {
			return true
		}
		kind := "Kind"
		switch t := v.Type.(type) {
		case *ast.Ident:
			kind = t.Name
		case *ast.SelectorExpr:
			kind = t.Sel.Name
		default:
			if !strings.HasPrefix(v.Names[0].Name, kind) {
				return true
			}
		}
		if into[kind] == nil {
			into[kind] = map[string]bool{}
		}
		value, _ := strconv.Unquote(l.Value) // the parser has read it
		into[kind][value] = true
		return true
	})
}
