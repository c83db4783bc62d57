package deferred_test

import (
	"errors"
	"testing"

	"zasync/pkg/deferred"
)

func TestWaitingForAnAnnotationNoticesOneThatWasThereAndEndsWithTheDeferred(t *testing.T) {
	d := deferred.Resolved(1)
	if err := d.Annotate(t.Context(), "k", 7); err != nil {
		t.Fatal(err)
	}
	if n, err := d.AwaitAnnotation(t.Context(), "k", nil); err != nil || string(n.Value) != "7" {
		t.Errorf("got %s, %v", n.Value, err)
	}
	_, err := d.AwaitAnnotation(t.Context(), "k", func(n deferred.Note) bool { return string(n.Value) == "8" })
	var settled *deferred.SettledError
	if !errors.As(err, &settled) || settled.State != deferred.Succeeded {
		t.Errorf("got %v", err)
	}
}
