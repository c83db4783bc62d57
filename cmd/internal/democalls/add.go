package democalls

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"zasync/pkg/deferred"
)

// add sums numbers. The sum of integers is an integer, unless it is too large
// for one.
func add(_ context.Context, in deferred.Content) (any, error) {
	numbers, err := readNumbers(in)
	if err != nil {
		return nil, err
	}
	exact, whole, sum := true, int64(0), 0.0
	for _, n := range numbers {
		f, err := n.Float64()
		if err != nil {
			return nil, badArguments(fmt.Sprintf("%s is too large a number", n))
		}
		sum += f
		i, err := strconv.ParseInt(n.String(), 10, 64)
		next := whole + i
		exact = exact && err == nil && (next > whole) == (i > 0)
		whole = next
	}
	if exact {
		return whole, nil
	}
	return sum, nil
}

// readNumbers goes by way of JSON, whatever the codec, since its numbers are
// kept as they are written.
func readNumbers(in deferred.Content) ([]json.Number, error) {
	text, err := in.JSON()
	if err != nil {
		return nil, deferred.Permanent(err)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var values []any
	if err := d.Decode(&values); err != nil {
		return nil, badArguments("the arguments must be a list of numbers such as [1,2,3]")
	}
	numbers := make([]json.Number, len(values))
	for i, v := range values {
		n, ok := v.(json.Number)
		if !ok {
			return nil, badArguments(fmt.Sprintf("item %d of the list is not a number", i+1))
		}
		numbers[i] = n
	}
	return numbers, nil
}
