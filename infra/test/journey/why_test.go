//go:build unix

package journey

import (
	"strings"
	"testing"
)

// The response to a refused request has no reason, but it has the request's id. With it the
// operator gets the reason.
func TestOperatorIsToldWhyARequestWasRefused(t *testing.T) {
	t.Parallel()
	s := theStack(t)
	c, in := s.Member(t)
	other := s.Installation(t, "github")
	for name, q := range map[string]struct {
		authorization string
		in            Installation
		want          []string
	}{
		"another's installation": {Bearer(c.Token(t)), other, []string{"KvFunction, GET", "step:         membership", "installation: github " + other.ID}},
		"no credential":          {"", in, []string{"AuthorizerFunction, GET", "step:         credential", "neither an Authorization header nor", "installation: github " + in.ID}},
		"a key":                  {Bearer(c.Key), in, []string{"step:         credential", "of the kind api_key"}},
	} {
		resp := s.Do(t, Request{Method: "GET", Target: q.in.Path("key", "a"), Authorization: q.authorization}).Want(t, 403)
		id := resp.Header.Get("X-Amzn-Requestid")
		if len(resp.Body) > 0 || id == "" {
			t.Errorf("%s: got %v with the id %q, want an empty body and an id", name, resp, id)
			continue
		}
		told := explained(t, s, id)
		for _, want := range q.want {
			if !strings.Contains(told, want) {
				t.Errorf("%s: got\n%s\nwant one with %q", name, told, want)
			}
		}
		if strings.Contains(told, c.Key) {
			t.Errorf("%s: the reason holds the credential", name)
		}
	}
}

// explained runs the command until the function's line is in the log. The response to the
// request may arrive before that line.
func explained(t *testing.T, s *Stack, id string) string {
	t.Helper()
	told := ""
	await(t, "a line of the request "+id+" in the log", func() bool {
		var err error
		told, err = s.TryAdmin("why", id)
		return err == nil
	})
	return told
}
