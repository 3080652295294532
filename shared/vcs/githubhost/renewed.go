package githubhost

import (
	"net/http"
	"sync"
)

// renewed sends an installation's requests with a remembered token. It drops the
// token when the host no longer accepts it. GitHub ends the tokens of an
// installation before their hour is over when the installation is suspended or its
// permissions change. If the host refuses the token of a read, the read is sent
// once more with a new token.
type renewed struct {
	make func() http.RoundTripper

	mu  sync.Mutex
	now http.RoundTripper
}

func newRenewed(make func() http.RoundTripper) *renewed {
	return &renewed{make: make, now: make()}
}

// RoundTrip implements http.RoundTripper.
func (t *renewed) RoundTrip(r *http.Request) (*http.Response, error) {
	used := t.current()
	answer, err := used.RoundTrip(r)
	if err != nil || answer.StatusCode != http.StatusUnauthorized || r.Method != http.MethodGet {
		return answer, err
	}
	_ = answer.Body.Close()
	return t.replace(used).RoundTrip(r)
}

func (t *renewed) current() http.RoundTripper {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.now
}

// replace drops the token that was used. If several requests find the same token
// refused, only the first one drops it.
func (t *renewed) replace(used http.RoundTripper) http.RoundTripper {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.now == used {
		t.now = t.make()
	}
	return t.now
}
