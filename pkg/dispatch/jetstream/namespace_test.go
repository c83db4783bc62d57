package jetstream_test

import (
	"errors"
	"strings"
	"testing"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/jetstream"
)

func TestNamespaceMayBeOfSoManyBytesAndNoMore(t *testing.T) {
	for length, accepted := range map[int]bool{31: true, 32: true, 33: false} {
		p := claim(t)
		p.config.Namespace = strings.Repeat("n", length)
		_, err := jetstream.Open(t.Context(), p.nc, p.config)
		var input *deferred.InputError
		if (err == nil) != accepted || !accepted && !errors.As(err, &input) {
			t.Errorf("a namespace of %d bytes: %v", length, err)
		}
	}
}

func TestNamespaceThatDiffersInCaseOnlyIsRefused(t *testing.T) {
	p := settle(t)
	small := p.config.Namespace
	p.config.Namespace = strings.ToUpper(small)
	_, err := jetstream.Open(t.Context(), p.nc, p.config)
	var other *jetstream.NamespaceError
	if !errors.As(err, &other) || other.Have != small || other.Want != p.config.Namespace {
		t.Errorf("got %v, want to be told of %s", err, small)
	}
}
