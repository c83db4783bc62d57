package suite

import (
	"strings"

	"zasync/pkg/deferred"
)

var deepCases = []rigCase{
	{"ListThatWouldBeNestedTooDeepFailsHoweverLargeItIs", deepLists},
	{"ListOfWhatRefersToADeepResultIsRead", deepListOfReferences},
}

// deepResult is nested so many levels deep, and of so many bytes at least.
func deepResult(levels, size int) string {
	return strings.Repeat("[", levels) + `"` + strings.Repeat("x", size) + `"` + strings.Repeat("]", levels)
}

func deepLists(r *rig) {
	r.perform(map[string]handler{
		"small": succeeds(deepResult(1000, 1)), "large": succeeds(deepResult(1000, 100<<10)),
		"fits": succeeds(deepResult(999, 1)), "fitsLarge": succeeds(deepResult(999, 100<<10)),
	})
	for _, name := range []string{"small", "large", "fits", "fitsLarge"} {
		all, settled := deferred.ID("all-"+name), deferred.ID("settled-"+name)
		r.submit(named(name, deferred.ID(name)), joinOf(all, deferred.JoinAll, deferred.ID(name)), joinOf(settled, deferred.JoinAllSettled, deferred.ID(name)))
		r.failsWith(settled, deferred.KindResultCodec) // each outcome is a level of its own
		if !strings.HasPrefix(name, "fits") {
			r.failsWith(all, deferred.KindResultCodec)
			continue
		}
		r.decodes(all, 1000)
	}
}

// How deep a result is that is somewhere else is not known when the list is made. It is
// less than what can be read.
func deepListOfReferences(r *rig) {
	r.perform(map[string]handler{"greet": succeeds(deepResult(1000, 100<<10)), "one": r.adopts("p")})
	r.submit(named("greet", "p"), named("one", "adopter"), joinOf("list", deferred.JoinAll, "adopter", "adopter2"), named("one", "adopter2"))
	r.submit(joinOf("outer", deferred.JoinAllSettled, "list"))
	r.decodes("list", 1001)
	r.decodes("outer", 1003)
}

// decodes awaits a success, and a result that can be read and is nested so deep.
func (r *rig) decodes(id deferred.ID, levels int) {
	r.Helper()
	var v any
	if err := r.await(id, deferred.Succeeded).Result.Decode(&v); err != nil {
		r.Errorf("%s cannot be read: %v", id, err)
	}
	deep := 0
	for ; ; deep++ {
		switch in := v.(type) {
		case []any:
			v = in[0]
			continue
		case map[string]any:
			v = in["result"]
			continue
		}
		break
	}
	if deep != levels {
		r.Errorf("%s is nested %d deep, want %d", id, deep, levels)
	}
}
