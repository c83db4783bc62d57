package integration

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
)

// violations judges Go sources by their paths, and names what breaks the
// architecture, in the order of the paths.
func violations(sources map[string]string) []string {
	var found []string
	packages := map[string][]*ast.File{} // by directory
	products := map[string][]*ast.File{} // the same, without the tests
	for _, file := range slices.Sorted(maps.Keys(sources)) {
		f, err := parser.ParseFile(token.NewFileSet(), file, sources[file], parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			found = append(found, err.Error())
			continue
		}
		dir := path.Dir(file)
		packages[dir] = append(packages[dir], f)
		if !strings.HasSuffix(file, "_test.go") {
			products[dir] = append(products[dir], f)
		}
		for _, v := range importViolations(file, f) {
			found = append(found, file+": "+v)
		}
	}
	for _, dir := range slices.Sorted(maps.Keys(packages)) {
		for _, v := range append(packageViolations(packages[dir]), wideInterfaces(products[dir])...) {
			found = append(found, dir+": "+v)
		}
	}
	return found
}

func importViolations(file string, f *ast.File) []string {
	dir := path.Dir(file)
	i := slices.IndexFunc(laws, func(l law) bool { return matches([]string{l.of}, dir) })
	if i < 0 {
		return []string{"no law says what a package here may import"}
	}
	l := laws[i]
	if strings.HasSuffix(file, "_test.go") {
		l.own = slices.Concat(l.own, inTests, []string{dir})
		l.others = nil
	}
	var found []string
	for _, spec := range f.Imports {
		name, err := strconv.Unquote(spec.Path.Value)
		if err != nil || !l.allows(name) {
			found = append(found, "must not import "+name)
		}
	}
	return found
}

func (l *law) allows(name string) bool {
	if own, ok := strings.CutPrefix(name, module+"/"); ok {
		return matches(l.own, own)
	}
	host, _, _ := strings.Cut(name, "/")
	switch {
	case !strings.Contains(host, "."):
		return true // the standard library
	case matches(natsModules, name):
		return l.nats
	default:
		return l.others == nil || matches(l.others, name)
	}
}

// packageViolations judges what all files of a directory have in common.
func packageViolations(files []*ast.File) []string {
	var found []string
	name := strings.TrimSuffix(files[0].Name.Name, "_test")
	if slices.Contains(emptyNames, name) {
		found = append(found, fmt.Sprintf("a package must not be called %s", name))
	}
	if !slices.ContainsFunc(files, func(f *ast.File) bool { return f.Doc != nil }) {
		found = append(found, "no file has a package comment")
	}
	return found
}

// wideInterfaces finds the exported interfaces with more methods than allowed.
// An embedded one counts in full if it is of the same package, else as one.
func wideInterfaces(files []*ast.File) []string {
	interfaces := map[string]*ast.InterfaceType{}
	for _, f := range files {
		ast.Inspect(f, func(n ast.Node) bool {
			if spec, ok := n.(*ast.TypeSpec); ok {
				if it, ok := spec.Type.(*ast.InterfaceType); ok {
					interfaces[spec.Name.Name] = it
				}
			}
			return true
		})
	}
	var found []string
	for _, name := range slices.Sorted(maps.Keys(interfaces)) {
		if n := methods(interfaces[name], interfaces); ast.IsExported(name) && n > maxMethods {
			found = append(found, fmt.Sprintf("interface %s has %d methods, more than %d", name, n, maxMethods))
		}
	}
	return found
}

func methods(it *ast.InterfaceType, interfaces map[string]*ast.InterfaceType) int {
	n := 0
	for _, m := range it.Methods.List {
		name, embedded := m.Type.(*ast.Ident)
		if embedded && interfaces[name.Name] != nil {
			n += methods(interfaces[name.Name], interfaces)
			continue
		}
		n++
	}
	return n
}
