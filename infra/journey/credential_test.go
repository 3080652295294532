//go:build unix

package journey

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/opsplane/opsplane/shared/access"
)

// The kinds of credential that open some doors. All others open none.
const (
	apiKey            = "API key"
	rightToken        = "right token"
	restrictedToken   = "token restricted to this installation"
	weakToken         = "token without a capability"
	readToken         = "token that may read only"
	writeToken        = "token that may write only"
	otherInstallation = "token restricted to another installation of the user"
	otherVCS          = "token restricted to another VCS of the user"
	otherVCSMember    = "token of a member of the same installation id on another VCS"
	outsider          = "token of a member of another installation only"
)

// headersFor makes one Authorization header of every kind, for an
// installation of GitHub.
func headersFor(t *testing.T, s *Stack, in Installation) map[string]string {
	t.Helper()
	neighbour := s.Installation(t, "github")
	twin := s.Named(t, "gitlab", in.ID)
	user := s.User(t, in, neighbour, twin)
	full := s.Client(s.Key(t, user, Capabilities()...))
	token := func(user string, capabilities ...string) string {
		return Bearer(s.Client(s.Key(t, user, capabilities...)).Token(t))
	}
	all := quoted(Capabilities())
	made := map[string]string{
		apiKey:            Bearer(full.Key),
		rightToken:        Bearer(full.Token(t)),
		weakToken:         token(user),
		readToken:         token(user, "kv_store_read", "kv_store_system_read"),
		writeToken:        token(user, "kv_store_write", "kv_store_system_write"),
		otherVCSMember:    token(s.User(t, twin), Capabilities()...),
		outsider:          token(s.User(t, neighbour), Capabilities()...),
		otherVCS:          Bearer(restricted(t, full, "gitlab", all).Token(t)),
		otherInstallation: Bearer(restricted(t, full, "github", append(all, only(neighbour))).Token(t)),
		restrictedToken:   Bearer(restricted(t, full, "github", append(all, only(in))).Token(t)),
	}
	for name, header := range forgeries(t, s, full) {
		made[name] = header
	}
	return made
}

func quoted(names []string) []any {
	var list []any
	for _, n := range names {
		list = append(list, n)
	}
	return list
}

// only is the capability that restricts to an installation.
func only(in Installation) any { return map[string]string{"name": "installation_id", "id": in.ID} }

// restricted makes a key through the API, which restricts it to the VCS.
func restricted(t *testing.T, c *Client, vcs string, capabilities []any) *Client {
	t.Helper()
	body, err := json.Marshal(map[string]any{"name": "restricted", "capabilities": capabilities})
	if err != nil {
		t.Fatal(err)
	}
	var made struct {
		Key string `json:"refresh_token"`
	}
	c.Do(t, "POST", "/api/v1/"+vcs+"/access-token", string(body)).Want(t, 200).Read(t, &made)
	return c.stack.Client(made.Key)
}

// forgeries are credentials that must open nothing: what never was one, what
// no longer is, and what someone made up.
func forgeries(t *testing.T, s *Stack, full *Client) map[string]string {
	t.Helper()
	token := full.Token(t)
	a, claims := s.Authority(t, token), Read(t, token)
	caller := access.Caller{User: claims.User, Key: claims.Key, Capabilities: access.Normalize(access.Strings())}
	now := time.Now()
	// Proof that what follows is refused for its defect alone.
	s.Do(t, Request{Method: "GET", Target: "/api/v1/whoami", Authorization: Bearer(a.Mint(t, caller, now))}).Want(t, 200)

	_, stranger, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	strange, elsewhere, otherUse, unknownKid := a, a, a, a
	strange.Private = stranger
	elsewhere.Domain.Issuer += "x"
	otherUse.Domain.Audience += "x"
	unknownKid.Kid = "3f1c0f4e-0000-4000-8000-000000000000"
	head, payload, _ := parts(token)
	made := map[string]string{
		"none": "", "garbage": Bearer("garbage"), "bearer without a token": "Bearer", "bearer with blanks": "Bearer    ",
		"another scheme": "Basic dXNlcjpwYXNzd29yZA==", "token without a scheme": token, "two tokens": Bearer(token + " " + token),
		"long garbage":                   Bearer(strings.Repeat("x", 8000)),
		"expired token":                  Bearer(a.Mint(t, caller, now.Add(-61*time.Second))),
		"tampered token":                 Bearer(tamper(t, token)),
		"token cut short":                Bearer(token[:len(token)-1]),
		"token signed by a stranger":     Bearer(strange.Mint(t, caller, now)),
		"token of another stack":         Bearer(elsewhere.Mint(t, caller, now)),
		"token for another use":          Bearer(otherUse.Mint(t, caller, now)),
		"token of an unknown key":        Bearer(unknownKid.Mint(t, caller, now)),
		"token without a signature":      Bearer(encode(`{"alg":"none","kid":"`+a.Kid+`"}`) + "." + payload + "."),
		"token with an empty signature":  Bearer(head + "." + payload + "."),
		"token signed with a public key": Bearer(symmetric(a, payload)),
		"API key with a wrong checksum":  Bearer(full.Key[:len(full.Key)-1] + "~"),
		"API key with a wrong letter":    Bearer(flip(full.Key, 20)),
	}
	user := s.User(t)
	gone := s.Client(s.Key(t, user, Capabilities()...))
	made["token of a revoked key"], made["revoked key"] = Bearer(gone.Token(t)), Bearer(gone.Key)
	s.Admin(t, "key", "revoke", gone.Key)
	// How soon its token is refused is another test's business.
	time.Sleep(revocationBound)
	return made
}

func parts(token string) (head, payload, signature string) {
	p := strings.SplitN(token, ".", 3)
	return p[0], p[1], p[2]
}

// tamper gives a token the user of somebody else, under the old signature.
func tamper(t *testing.T, token string) string {
	t.Helper()
	head, payload, signature := parts(token)
	b, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(b), Read(t, token).User, "00000000-0000-4000-8000-000000000000", 1)
	return head + "." + encode(changed) + "." + signature
}

// symmetric signs a payload with the public key as if it were a shared secret.
func symmetric(a Authority, payload string) string {
	text := encode(fmt.Sprintf(`{"alg":"HS256","typ":"JWT","kid":%q}`, a.Kid)) + "." + payload
	mac := hmac.New(sha256.New, a.Private.Public().(ed25519.PublicKey))
	mac.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func encode(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// flip changes one letter.
func flip(text string, at int) string {
	letter := byte('0')
	if text[at] == letter {
		letter = '1'
	}
	return text[:at] + string(letter) + text[at+1:]
}
