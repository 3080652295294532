//go:build unix

package journey

import (
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// revocationBound is the bound that the product publishes: for this long after a key has ended,
// its access tokens may still be accepted.
const revocationBound = 5 * time.Second

// pollers is the number of requests in flight. It is larger than one, so that several instances
// of the authorizer respond, each with its own view.
const pollers = 4

// poll uses a token until stop is closed. It returns the time at which the last accepted
// request was sent. Every refusal must be a correct one.
func poll(t *testing.T, s *Stack, token string, stop <-chan struct{}) (last time.Time) {
	var accepted atomic.Int64
	var running sync.WaitGroup
	for range pollers {
		running.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				sent := time.Now()
				resp, err := s.Try(Request{Method: "GET", Target: "/api/v1/whoami", Authorization: Bearer(token)})
				switch {
				case err != nil:
					t.Error(err)
					return
				case resp.Status == http.StatusOK:
					accepted.Store(max(accepted.Load(), sent.UnixNano()))
				default:
					resp.WantRefused(t)
				}
				time.Sleep(20 * time.Millisecond)
			}
		})
	}
	running.Wait()
	return time.Unix(0, accepted.Load())
}

func TestTokenOfARevokedKeyIsRefusedWithinThePublishedBound(t *testing.T) {
	t.Parallel()
	s := theStack(t)
	user := s.User(t)
	for name, revoke := range map[string]func(t *testing.T, c *Client){
		"by the API": func(t *testing.T, c *Client) {
			id := Read(t, c.Token(t)).Key
			s.Client(s.Key(t, user, "access_token_create")).Do(t, "DELETE", "/api/v1/github/access-token?id="+id, "").Want(t, 200)
		},
		"by an operator": func(t *testing.T, c *Client) { s.Admin(t, "key", "revoke", c.Key) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := s.Client(s.Key(t, user))
			token, stop, last := c.Token(t), make(chan struct{}), make(chan time.Time, 1)
			go func() { last <- poll(t, s, token, stop) }()
			time.Sleep(time.Second)
			revoke(t, c)
			revoked := time.Now()
			for _, r := range []Request{{Method: "POST", Target: "/api/v1/access-token/refresh"}, {Method: "GET", Target: "/api/v1/whoami"}} {
				r.Authorization = Bearer(c.Key)
				s.Do(t, r).WantRefused(t)
			}
			time.Sleep(revocationBound + time.Second)
			close(stop)
			accepted := (<-last).Sub(revoked)
			t.Logf("the token was last accepted %v after its key was revoked", accepted.Round(time.Millisecond))
			if accepted > revocationBound {
				t.Errorf("got a request accepted that was sent %v after the revocation, want none after %v", accepted, revocationBound)
			}
			if accepted < -2*time.Second {
				t.Errorf("got the token refused %v before the revocation", -accepted)
			}
		})
	}
}

func TestTokenEndsNoLaterThanItsKey(t *testing.T) {
	t.Parallel()
	s := theStack(t)
	c := s.Client(s.Admin(t, "key", "create", "--user", s.User(t), "--expires", "4s"))
	token := c.Token(t)
	end := time.Unix(Read(t, token).Expires, 0)
	if left := time.Until(end); left > 4*time.Second {
		t.Errorf("got a token for %v of a key for 4s", left)
	}
	s.Do(t, Request{Method: "GET", Target: "/api/v1/whoami", Authorization: Bearer(token)}).Want(t, 200)
	time.Sleep(time.Until(end))
	for _, credential := range []string{token, c.Key} {
		s.Do(t, Request{Method: "GET", Target: "/api/v1/whoami", Authorization: Bearer(credential)}).WantRefused(t)
	}
	s.Do(t, Request{Method: "POST", Target: "/api/v1/access-token/refresh", Authorization: Bearer(c.Key)}).WantRefused(t)
}

func TestTokenLivesForAMinuteAtMost(t *testing.T) {
	t.Parallel()
	s := theStack(t)
	token := s.Client(s.APIKey).Token(t)
	left := time.Until(time.Unix(Read(t, token).Expires, 0))
	if left < 55*time.Second || left > time.Minute {
		t.Errorf("got a token with %v left, want at most a minute and little less", left)
	}
}

func TestNobodyRevokesAnothersKey(t *testing.T) {
	t.Parallel()
	s := theStack(t)
	mine, other := s.Client(s.Key(t, s.User(t))), s.Client(s.Key(t, s.User(t), "access_token_create"))
	id := Read(t, mine.Token(t)).Key
	resp := other.Do(t, "DELETE", "/api/v1/github/access-token?id="+id, "").Want(t, 200)
	if len(resp.Body) != 0 {
		t.Errorf("got %v, want no body", resp)
	}
	if _, err := mine.Refresh(); err != nil {
		t.Errorf("after someone else revoked the key: %v", err)
	}
}
