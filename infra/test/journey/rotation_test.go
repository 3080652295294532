//go:build unix

package journey

import (
	"sync"
	"testing"
	"time"
)

// kids refreshes with several requests at once, so that several instances of the signer
// respond. It returns the tokens by the key that signed them.
func kids(t *testing.T, c *Client) map[string]string {
	t.Helper()
	var mu sync.Mutex
	tokens := map[string]string{}
	var asking sync.WaitGroup
	for range 2 * pollers {
		asking.Go(func() {
			token, err := c.Refresh()
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			tokens[Read(t, token).Kid] = token
		})
	}
	asking.Wait()
	return tokens
}

func accepted(t *testing.T, s *Stack, token string) bool {
	t.Helper()
	resp := s.Do(t, Request{Method: "GET", Target: "/api/v1/whoami", Authorization: Bearer(token)})
	if resp.Status != 200 {
		resp.WantRefused(t)
	}
	return resp.Status == 200
}

// The test has a stack of its own, because it would disturb every other test.
func TestSigningKeysRotateWithoutARefusalAndCanBeEndedAtOnce(t *testing.T) {
	t.Parallel()
	s := Start(t)
	c := s.Client(s.APIKey)
	old := c.Token(t)
	first := Read(t, old).Kid

	t.Run("planned: every request is served while the keys change", func(t *testing.T) {
		s.Admin(t, "signing-key", "rotate")
		deadline := time.Now().Add(80 * time.Second)
		for rounds := 0; ; rounds++ {
			tokens := kids(t, c)
			for kid, token := range tokens {
				if !accepted(t, s, token) {
					t.Fatalf("a token of key %s was refused after %d rounds, want all accepted", kid, rounds)
				}
			}
			if time.Now().Before(time.Unix(Read(t, old).Expires, 0).Add(-time.Second)) && !accepted(t, s, old) {
				t.Fatal("a token of the time before the rotation was refused, want it accepted to its end")
			}
			if _, was := tokens[first]; !was || len(tokens) > 1 {
				return // the new key signs, and its token was accepted
			}
			if time.Now().After(deadline) {
				t.Fatal("the new key does not sign, want it to within 70 s")
			}
			time.Sleep(100 * time.Millisecond)
		}
	})

	t.Run("in wrong hands: tokens of the old keys end within the bound", func(t *testing.T) {
		before := kids(t, c)
		s.Admin(t, "signing-key", "rotate", "--revoke-old")
		time.Sleep(revocationBound)
		for range 3 * pollers {
			for kid, token := range before {
				if accepted(t, s, token) {
					t.Fatalf("a token of ended key %s is accepted %v later", kid, revocationBound)
				}
			}
		}
		deadline := time.Now().Add(65 * time.Second)
		for good := false; !good; time.Sleep(500 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("new tokens are refused, want them accepted once the signers have read the new key, after 60 s")
			}
			good = true
			for _, token := range kids(t, c) {
				good = accepted(t, s, token) && good
			}
		}
	})
}
