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
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/login/session"
	"github.com/opsplane/opsplane/shared/login/user"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/runtoken"
)

// The kinds of credential that some routes admit. Every other kind is always refused.
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

// The tokens of runs among these kinds.
const (
	runToken       = "token of a plan that is queued"
	applyToken     = "token of an apply that is running"
	twinRunToken   = "token of a plan on another VCS"
	twinApplyToken = "token of an apply on another VCS"
)

// The sessions among these kinds.
const (
	memberSession   = "session of a member"
	vouchedSession  = "session of a member by the word of the VCS"
	formerSession   = "session of a former member"
	lapsedSession   = "session of a member whose host grants are no longer accepted"
	outsiderSession = "session of a member of another installation only"
)

// proof holds what a request carries: an Authorization header, a session, or both, and the
// headers in which a browser states where a request comes from.
type proof struct {
	header, session string
	origin, site    string
	// client, if it is set, renews the token that the header holds: a token lives for a minute.
	client *Client
}

// fresh returns the proof with a token that has not ended.
func (p proof) fresh(t *testing.T) proof {
	t.Helper()
	if p.client != nil {
		p.header = Bearer(p.client.Token(t))
	}
	return p
}

// onto adds the proof to a request.
func (p proof) onto(r Request) Request {
	r.Authorization, r.Session, r.Header = p.header, p.session, http.Header{}
	if p.origin != "" {
		r.Header.Set("Origin", p.origin)
	}
	if p.site != "" {
		r.Header.Set("Sec-Fetch-Site", p.site)
	}
	return r
}

// proofsFor makes one proof of every kind, for an installation of GitHub.
func proofsFor(t *testing.T, s *Stack, in Installation) map[string]proof {
	t.Helper()
	made := map[string]proof{}
	headers, clients := headersFor(t, s, in)
	for name, header := range headers {
		made[name] = proof{header: header}
	}
	for name, client := range clients {
		made[name] = proof{client: client}
	}
	now := time.Now()
	login := func(user string) proof { return proof{session: s.Session(t, user, now)} }
	neighbour := s.Installation(t, "github")
	member, vouched, former, lapsed := s.User(t, in), s.User(t), s.User(t, neighbour), s.User(t)
	s.Vouch(t, vouched, "github", now, in)
	s.Vouch(t, former, "github", now.Add(-time.Hour), in)
	s.Vouch(t, former, "github", now)
	s.Vouch(t, lapsed, "github", now.Add(-user.SessionLapse), in, neighbour)
	made[memberSession], made[vouchedSession], made[formerSession], made[outsiderSession] = login(member), login(vouched), login(former), login(s.User(t, neighbour))
	s.Admin(t, "membership", "add", "--user", lapsed, "--vcs", "github", "--installation", neighbour.ID)
	made[lapsedSession] = login(lapsed)

	ended := login(member)
	s.Do(t, ended.onto(Request{Method: "POST", Target: "/api/v1/logout"})).Want(t, 200)
	good := login(member).session
	for name, p := range map[string]proof{
		"session that was logged out":                {session: ended.session},
		"session that is idle for too long":          {session: s.Session(t, member, now.Add(-session.Idle))},
		"session that is too old":                    {session: s.Session(t, member, now.Add(-session.Lifetime))},
		"session that nobody has":                    {session: session.NewState()},
		"session's text cut short":                   {session: good[:42]},
		"session's hash in its place":                {session: hashOf(t, good)},
		"session, another site's page":               {session: good, origin: "https://evil.example.com", site: "cross-site"},
		"session, another site's page, old browser":  {session: good, origin: "https://evil.example.com"},
		"session, a page of a site beside us":        {session: good, site: "same-site"},
		"session, a page without an origin":          {session: good, origin: "null"},
		"session, with a header that is no token":    {session: good, header: Bearer("garbage")},
		"session, with a header of another scheme":   {session: good, header: "Basic dXNlcjpwYXNzd29yZA=="},
		"access token in a session's cookie's place": {session: clients[rightToken].Token(t)},
	} {
		made[name] = p
	}
	return made
}

// hashOf returns what the table holds for a session.
func hashOf(t *testing.T, text string) string {
	t.Helper()
	id, ok := session.IDOf(text)
	if !ok {
		t.Fatalf("%q is no session's text", text)
	}
	return id
}

// headersFor makes one Authorization header of every kind, for an installation of GitHub. The
// clients are of the kinds whose credential is a token: a token lives for a minute only.
func headersFor(t *testing.T, s *Stack, in Installation) (made map[string]string, clients map[string]*Client) {
	t.Helper()
	neighbour := s.Installation(t, "github")
	twin := s.Named(t, "gitlab", in.ID)
	user := s.User(t, in, neighbour, twin)
	full := s.Client(s.Key(t, user, Capabilities()...))
	of := func(user string, capabilities ...string) *Client { return s.Client(s.Key(t, user, capabilities...)) }
	all := quoted(Capabilities())
	clients = map[string]*Client{
		rightToken:        full,
		weakToken:         of(user),
		readToken:         of(user, "kv_store_read", "kv_store_system_read"),
		writeToken:        of(user, "kv_store_write", "kv_store_system_write"),
		otherVCSMember:    of(s.User(t, twin), Capabilities()...),
		outsider:          of(s.User(t, neighbour), Capabilities()...),
		otherVCS:          restricted(t, full, "gitlab", all),
		otherInstallation: restricted(t, full, "github", append(all, only(neighbour))),
		restrictedToken:   restricted(t, full, "github", append(all, only(in))),
	}
	made = map[string]string{apiKey: Bearer(full.Key)}
	for name, header := range forgeries(t, s, full) {
		made[name] = header
	}
	for name, header := range runTokens(t, s, in, neighbour, twin) {
		made[name] = header
	}
	return made, clients
}

// runTokens makes tokens of runs: of the installation, of others that never reach it, and some
// that are refused everywhere.
func runTokens(t *testing.T, s *Stack, in, neighbour, twin Installation) map[string]string {
	t.Helper()
	queued, ended := s.Run(t, in), s.Run(t, in)
	s.AbortRun(t, ended.ID)
	return map[string]string{
		runToken:                                 Bearer(queued.Token),
		applyToken:                               Bearer(s.ApplyRun(t, in).Token),
		twinRunToken:                             Bearer(s.Run(t, twin).Token),
		twinApplyToken:                           Bearer(s.ApplyRun(t, twin).Token),
		"token of a run that has ended":          Bearer(ended.Token),
		"token of a run of another installation": Bearer(s.Run(t, neighbour).Token),
		"token of a run that does not exist":     Bearer(runtoken.New(run.NewID())),
		"token of a run with another secret":     Bearer(runtoken.New(queued.ID)),
		"token of a run cut short":               Bearer(queued.Token[:len(queued.Token)-1]),
		"id of a run in place of its token":      Bearer(string(queued.ID)),
		"token of a run that is being made":      Bearer(s.UnfinishedRun(t, in).Token),
	}
}

func quoted(names []string) []any {
	var list []any
	for _, n := range names {
		list = append(list, n)
	}
	return list
}

// only returns the capability that restricts to an installation.
func only(in Installation) any { return map[string]string{"name": "installation_id", "id": in.ID} }

// restricted makes a key through the API, which restricts the key to the VCS.
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

// forgeries are credentials that must always be refused: texts that were never credentials,
// credentials that have ended, and forged ones.
func forgeries(t *testing.T, s *Stack, full *Client) map[string]string {
	t.Helper()
	token := full.Token(t)
	a, claims := s.Authority(t, token), Read(t, token)
	caller := access.Caller{User: claims.User, Key: claims.Key, Capabilities: access.Normalize(access.Strings())}
	now := time.Now()
	// This shows that the tokens below are refused only because of their defect.
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
	// Another test checks how soon the token is refused.
	time.Sleep(revocationBound)
	return made
}

func parts(token string) (head, payload, signature string) {
	p := strings.SplitN(token, ".", 3)
	return p[0], p[1], p[2]
}

// tamper replaces the user of a token by another user and keeps the old signature.
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
