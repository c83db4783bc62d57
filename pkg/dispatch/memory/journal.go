package memory

import (
	"cmp"
	"iter"
	"slices"
)

// A journal keeps values in the order of their numbers, which only grow. Values
// may be struck out anywhere; their lines stay until they are the majority, so
// that every operation is cheap on average, whatever the order of the strikes.
type journal[T any] struct {
	lines []line[T]
	blank int
}

type line[T any] struct {
	number uint64
	value  *T // nil: struck out
}

func (j *journal[T]) add(number uint64, value *T) {
	j.lines = append(j.lines, line[T]{number, value})
}

func (j *journal[T]) len() int { return len(j.lines) - j.blank }

// at gives the value with the number, nil if there is none.
func (j *journal[T]) at(number uint64) *T {
	if i, ok := j.search(number); ok {
		return j.lines[i].value
	}
	return nil
}

// first gives the value with the least number, nil if the journal is empty.
func (j *journal[T]) first() *T {
	for v := range j.after(0) {
		return v
	}
	return nil
}

func (j *journal[T]) strike(number uint64) {
	i, ok := j.search(number)
	if !ok || j.lines[i].value == nil {
		return
	}
	j.lines[i].value = nil
	if j.blank++; j.blank > len(j.lines)/2 {
		j.lines = slices.DeleteFunc(j.lines, func(l line[T]) bool { return l.value == nil })
		j.blank = 0
	}
}

// after gives the values with greater numbers. Nothing may be struck out meanwhile.
func (j *journal[T]) after(number uint64) iter.Seq[*T] {
	return func(yield func(*T) bool) {
		i, ok := j.search(number)
		if ok {
			i++
		}
		for _, l := range j.lines[i:] {
			if l.value != nil && !yield(l.value) {
				return
			}
		}
	}
}

func (j *journal[T]) search(number uint64) (int, bool) {
	return slices.BinarySearchFunc(j.lines, number, func(l line[T], n uint64) int {
		return cmp.Compare(l.number, n)
	})
}
