package httpapi_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/api/httpapi"
)

// jsonRequest returns a request with a body that passed no route.
func jsonRequest(body string) *http.Request {
	r := httptest.NewRequest("POST", "/x", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	return r
}

// TestListIsRefusedBeforeItCostsMuch sends lists of a megabyte and more. What their
// elements cost is measured against the same request with a short list.
func TestListIsRefusedBeforeItCostsMuch(t *testing.T) {
	objects := func(b *httpapi.Body) {
		for each := range b.Objects("list", httpapi.ObjectList{Must: "must be a list", Element: "must hold objects", Max: 1 << 30, TooMany: "TOO_MANY"}) {
			each.String("key")
		}
	}
	for name, c := range map[string]struct {
		element string
		decode  func(*httpapi.Body)
		id      string
		says    string
	}{
		"objects above the maximum": {"{}", func(b *httpapi.Body) {
			for range b.Objects("list", httpapi.ObjectList{Must: "must be a list", Element: "must hold objects", Max: 10, TooMany: "TOO_MANY"}) {
				t.Error("an element of a list that is too long was decoded")
			}
		}, "TOO_MANY", `"list" has 500000 elements; at most 10 are allowed`},
		"objects that the caller refuses": {"{}", objects, "INVALID_BODY", `"list.key" is required`},
		"numbers for objects":             {"7", objects, "INVALID_BODY", "must hold objects"},
		"numbers for strings": {"7", func(b *httpapi.Body) {
			for range b.Strings("list") {
				t.Error("a number was read as a string")
			}
		}, "INVALID_BODY", "must be a list of strings"},
		"capabilities above the maximum": {`"kv_store_read"`, func(b *httpapi.Body) { b.Capabilities("list") }, "TOO_MANY_CAPABILITIES", `"list" can hold 32 capabilities, not 500000`},
		"a set above the maximum":        {`"kv_store_read"`, func(b *httpapi.Body) { b.CapabilitySet("list") }, "TOO_MANY_CAPABILITIES", `"list" can hold 32 capabilities, not 500000`},
	} {
		body := `{"list":[` + strings.Repeat(c.element+",", 499_999) + c.element + `]}`
		b := httpapi.NewBody(jsonRequest(body))
		// The first run keeps the fault. Later runs measure what a list costs although a
		// fault is kept, and the last one measures a new fault.
		c.decode(b)
		var f *fault.Error
		if !errors.As(b.Err(), &f) || f.ID != c.id || !strings.Contains(f.Detail, c.says) {
			t.Errorf("%s: got %v, want %s saying %q", name, b.Err(), c.id, c.says)
		}
		const few = 100
		if n := testing.AllocsPerRun(3, func() { c.decode(b) }); n > few {
			t.Errorf("%s: %.0f allocations for 500,000 elements, want at most %d", name, n, few)
		}
	}
}

func TestListStopsAtTheFaultThatItsCallerFinds(t *testing.T) {
	t.Parallel()
	b := httpapi.NewBody(jsonRequest(`{"list":[{"n":1},{"n":"x"},{"n":3}]}`))
	read := 0
	for each := range b.Objects("list", httpapi.ObjectList{Max: 3}) {
		each.OptionalInt("n", 0, 9)
		read++
	}
	if read != 2 || b.Err() == nil {
		t.Errorf("%d elements were read, %v; want 2 and the fault of the second", read, b.Err())
	}
}

func TestCapabilitiesUpToTheMaximumAreRead(t *testing.T) {
	t.Parallel()
	b := httpapi.NewBody(jsonRequest(`{"list":[` + strings.Repeat(`"kv_store_read",`, access.MaxCapabilities-1) + `"kv_store_write"]}`))
	if list, ok := b.Capabilities("list"); !ok || len(list) != access.MaxCapabilities || b.Err() != nil {
		t.Errorf("got %d, %v; want %d", len(list), b.Err(), access.MaxCapabilities)
	}
}
