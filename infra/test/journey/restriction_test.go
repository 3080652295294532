//go:build unix

package journey

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// listedKey is a key in the form of the list.
type listedKey struct {
	ID           string          `json:"id"`
	Name         string          `json:"name"`
	Description  string          `json:"description"`
	Capabilities json.RawMessage `json:"capabilities"`
	CreatedAt    string          `json:"created_at"`
	ExpiresAt    string          `json:"expires_at"`
	LastUsedAt   string          `json:"last_used_at"`
}

// keysOf reads the whole list by its links.
func keysOf(t *testing.T, c *Client, target string) (all []listedKey) {
	t.Helper()
	for range 20 {
		resp := c.Do(t, "GET", target, "").Want(t, 200)
		var page struct{ Results []listedKey }
		resp.Read(t, &page)
		all = append(all, page.Results...)
		if target = resp.Next(t); target == "" {
			return all
		}
	}
	t.Fatal("the pages have no end")
	return nil
}

// create makes a key through the API.
func create(t *testing.T, c *Client, vcs, body string) Response {
	t.Helper()
	return c.Do(t, "POST", "/api/v1/"+vcs+"/access-token", body)
}

func TestRestrictedKeyReachesItsInstallationAndNothingElse(t *testing.T) {
	t.Parallel()
	s := theStack(t)
	in, neighbour := s.Installation(t, "github"), s.Installation(t, "github")
	twin := s.Named(t, "gitlab", in.ID)
	user := s.User(t, in, neighbour, twin)
	for name, c := range map[string]struct {
		capabilities []string
		reaches      []Installation
	}{
		"unrestricted":                {nil, []Installation{in, neighbour, twin}},
		"to an installation":          {[]string{"installation_id=" + in.ID}, []Installation{in, twin}},
		"to a VCS":                    {[]string{"vcs=github"}, []Installation{in, neighbour}},
		"to an installation of a VCS": {[]string{"installation_id=" + in.ID, "vcs=github"}, []Installation{in}},
		"to two installations":        {[]string{"installation_id=" + in.ID, "installation_id=" + neighbour.ID, "vcs=github"}, []Installation{in, neighbour}},
	} {
		client := s.Client(s.Key(t, user, append(c.capabilities, "kv_store_read", "kv_store_write")...))
		for _, to := range []Installation{in, neighbour, twin} {
			for method, sent := range map[string][2]string{
				"GET": {to.Path("iter", "")}, "PUT": {to.Path("key", "k"), `{"data":1}`}, "DELETE": {to.Path("key", "k")}, "POST": {to.Base() + "/commit", `{"keys":[]}`},
			} {
				resp := client.Do(t, method, sent[0], sent[1])
				switch reached := slices.Contains(c.reaches, to); {
				case reached && resp.Status != http.StatusOK:
					t.Errorf("%s: got %v, want 200", name, resp)
				case !reached && (resp.Status != http.StatusForbidden || len(resp.Body) > 0):
					t.Errorf("%s: got %v, want 403 without a body", name, resp)
				}
			}
		}
	}
}

func TestRestrictionIsInheritedAndNeverWidened(t *testing.T) {
	t.Parallel()
	s := theStack(t)
	in, neighbour := s.Installation(t, "github"), s.Installation(t, "github")
	user := s.User(t, in, neighbour, s.Named(t, "gitlab", in.ID))
	full := s.Client(s.Key(t, user, Capabilities()...))
	narrow := restricted(t, full, "github", []any{"access_token_create", "kv_store_read", only(in)})

	child := restricted(t, narrow, "github", []any{"kv_store_read", "kv_store_write", "access_token_refresh"})
	child.Do(t, "GET", in.Path("iter", ""), "").Want(t, 200)
	child.Do(t, "GET", neighbour.Path("iter", ""), "").WantRefused(t)
	child.Do(t, "PUT", in.Path("key", "k"), `{"data":1}`).WantRefused(t)
	for name, body := range map[string]string{
		"another installation": fmt.Sprintf(`{"name":"wide","capabilities":["kv_store_read",{"name":"installation_id","id":%q}]}`, neighbour.ID),
		"two installations":    fmt.Sprintf(`{"name":"wide","capabilities":[{"name":"installation_id","id":%q},{"name":"installation_id","id":%q}]}`, in.ID, neighbour.ID),
		"another VCS":          `{"name":"wide","capabilities":[{"name":"vcs","vcs":"gitlab"}]}`,
	} {
		if resp := create(t, narrow, "github", body); resp.Status != http.StatusBadRequest || len(resp.Body) == 0 {
			t.Errorf("%s: got %v, want 400 with its reason", name, resp)
		}
	}
	create(t, narrow, "gitlab", `{"name":"wide","capabilities":[]}`).WantRefused(t)
	stranger := fmt.Sprintf(`{"name":"foreign","capabilities":[{"name":"installation_id","id":%q}]}`, s.Installation(t, "github").ID)
	create(t, full, "github", stranger).Want(t, 400)

	want := fmt.Sprintf(`[{"name":"vcs","vcs":"github"},{"name":"installation_id","id":%q},"kv_store_read"]`, in.ID)
	wantParent := fmt.Sprintf(`[{"name":"vcs","vcs":"github"},"access_token_create",{"name":"installation_id","id":%q},"kv_store_read"]`, in.ID)
	seen := keysOf(t, narrow, "/api/v1/github/access-token")
	if len(seen) != 2 {
		t.Fatalf("a restricted caller sees %d keys, want its own and its child's: %+v", len(seen), seen)
	}
	for _, k := range seen {
		if got, parent := string(k.Capabilities), Read(t, narrow.Token(t)).Key == k.ID; got != want && !parent || got != wantParent && parent {
			t.Errorf("got capabilities %s, want %s, or %s for the parent", got, want, wantParent)
		}
	}
	fullID := Read(t, full.Token(t)).Key
	narrow.Do(t, "DELETE", "/api/v1/github/access-token?id="+fullID, "").Want(t, 200)
	if _, err := full.Refresh(); err != nil {
		t.Errorf("a restricted caller revoked a wider key: %v", err)
	}
}

func TestKeysAreListedByNameInPagesAndNeverShown(t *testing.T) {
	t.Parallel()
	s := theStack(t)
	c := s.Client(s.Key(t, s.User(t, s.Installation(t, "github")), "access_token_create", "kv_store_read"))
	end := time.Now().Add(time.Hour).UTC().Truncate(time.Second).Format(time.RFC3339)
	var texts []string
	for _, name := range []string{"b", "a", "", "a", "c,d", "\u00e9 & more"} {
		body := fmt.Sprintf(`{"name":%q,"capabilities":["kv_store_read","kv_store_write"],"description":"for tests","expires_at":%q}`, name, end)
		var made struct {
			Key string `json:"refresh_token"`
		}
		create(t, c, "github", body).Want(t, 200).Read(t, &made)
		texts = append(texts, made.Key)
	}
	want := []string{"", "a", "a", "b", "c,d", "journey", "\u00e9 & more"}
	for _, limit := range []int{1, 2, 3, 7, 1000} {
		var names []string
		for _, k := range keysOf(t, c, fmt.Sprintf("/api/v1/github/access-token?limit=%d", limit)) {
			names = append(names, k.Name)
			if k.Name != "journey" && (k.ExpiresAt != end || k.Description != "for tests" || string(k.Capabilities) != `[{"name":"vcs","vcs":"github"},"kv_store_read"]`) {
				t.Errorf("got %+v %s, want what it was made with, less what the maker lacks", k, k.Capabilities)
			}
		}
		if !slices.Equal(names, want) {
			t.Errorf("pages of %d: got %q, want %q", limit, names, want)
		}
	}
	body := string(c.Do(t, "GET", "/api/v1/github/access-token?limit=100", "").Body)
	for _, text := range texts {
		if strings.Contains(body, text) || strings.Contains(body, text[len(text)-20:]) {
			t.Error("the list shows a key's text")
		}
	}
}

func TestUseOfAKeyIsRecorded(t *testing.T) {
	t.Parallel()
	s := theStack(t)
	c := s.Client(s.Key(t, s.User(t), "access_token_create"))
	before := time.Now().Truncate(time.Second)
	listed := keysOf(t, c, "/api/v1/github/access-token")
	if len(listed) != 1 {
		t.Fatalf("got %d keys, want 1", len(listed))
	}
	used, err := time.Parse(time.RFC3339, listed[0].LastUsedAt)
	if err != nil || used.Before(before) || used.After(time.Now()) {
		t.Errorf("got last_used_at %q, want the time of the exchange, since %v", listed[0].LastUsedAt, before)
	}
}
