package webhook_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch"
	"zasync/pkg/dispatch/memory"
	"zasync/pkg/dispatch/webhook"
)

func TestPromiseIsSettledByAPost(t *testing.T) {
	pair := memory.New(memory.Config{})
	q := dispatch.New(pair.Store, pair.Broker, dispatch.Config{})
	h := webhook.Handler(q)
	promise := func(id deferred.ID) deferred.PromiseToken {
		c, token := deferred.NewPromise(id, "approval")
		if _, err := deferred.SubmitOne(t.Context(), q, c); err != nil {
			t.Fatal(err)
		}
		return token
	}
	yes, no := promise("yes"), promise("no")
	for _, c := range []struct {
		name, path, token, body string
		status                  int
		says                    string
	}{
		{"value that is no JSON", "/resolve", string(yes), `{`, http.StatusBadRequest, "JSON"},
		{"first resolution", "/resolve", string(yes), `{"approved":true}`, http.StatusOK, "{}"},
		{"second resolution", "/resolve", string(yes), `2`, http.StatusConflict, `{"approved":true}`},
		{"late rejection", "/reject", string(yes), `{"message":"no"}`, http.StatusConflict, "succeeded"},
		{"rejection without a message", "/reject", string(no), `{}`, http.StatusBadRequest, "message"},
		{"rejection", "/reject", string(no), `{"kind":"refused","message":"too dear"}`, http.StatusOK, "{}"},
		{"wrong secret", "/resolve", "yes.wrong", `1`, http.StatusNotFound, "token"},
		{"no token", "/resolve", "", `1`, http.StatusNotFound, "token"},
		{"too much", "/resolve", string(no), `"` + strings.Repeat("x", deferred.MaxResultSize) + `"`, http.StatusRequestEntityTooLarge, "too large"},
	} {
		request := httptest.NewRequest(http.MethodPost, c.path, strings.NewReader(c.body))
		request.Header.Set("Authorization", "Bearer "+c.token)
		recorder := httptest.NewRecorder()
		h.ServeHTTP(recorder, request)
		if recorder.Code != c.status || !strings.Contains(recorder.Body.String(), c.says) {
			t.Errorf("%s was answered %d %s, want %d with %q", c.name, recorder.Code, recorder.Body, c.status, c.says)
		}
	}
	if r, err := q.Record(t.Context(), "no"); err != nil || r.State != deferred.Failed || r.Failure.Kind != "refused" {
		t.Errorf("the rejected promise has %+v, %v", r, err)
	}
	recorder := httptest.NewRecorder()
	h.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/resolve", nil))
	if recorder.Code != http.StatusMethodNotAllowed {
		t.Errorf("a look was answered %d: links are followed by machines", recorder.Code)
	}
}
