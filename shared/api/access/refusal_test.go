package access

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/vcs"
)

func TestARefusalNamesWhatWasMissing(t *testing.T) {
	t.Parallel()
	expired, key := reader(), reader()
	expired.Expires, key.Kind = now.Unix(), KindAPIKey
	in := Rule{Needs: []Capability{KVStoreRead, KVStoreWrite, AuditRead}, Scope: ScopeInstallation}
	one, hosted := Rule{Needs: []Capability{KVStoreRead}, Scope: ScopeInstallation}, Rule{Scope: ScopeHosted}
	for name, c := range map[string]struct {
		caller Caller
		rule   Rule
		target vcs.Installation
		step   Step
		why    string
	}{
		"nobody":             {Caller{}, one, github1, StepCredential, "kind"},
		"API key":            {key, one, github1, StepCredential, "of the kind api_key, the route takes access_token, session"},
		"expired":            {expired, one, github1, StepCredential, "expired"},
		"two capabilities":   {reader(), in, github1, StepCapability, "lacks kv_store_write, audit_read"},
		"another VCS":        {reader(VCS("gitlab")), one, github1, StepRestriction, "restricted to vcs gitlab"},
		"other places":       {reader(Installation("2"), Installation("7")), one, github1, StepRestriction, "installation_id 2, installation_id 7"},
		"restricted, hosted": {reader(Installation("2")), hosted, github1, StepRestriction, "installation_id 2"},
		"not ids":            {reader(Installation("glpat-secret")), one, github1, StepRestriction, "restricted to"},
		"no member":          {reader(), one, vcs.Installation{VCS: "github", ID: "3"}, StepMembership, "not a member"},
	} {
		err := Authorize(c.caller, c.rule, c.target, now)
		var refused *Refusal
		if !errors.As(err, &refused) || !errors.Is(err, fault.ErrForbidden) || refused.Step != c.step || !strings.Contains(refused.Why, c.why) {
			t.Errorf("%s: got %v, want %s: … %s …", name, err, c.step, c.why)
		}
		if strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the reason holds a value that may be anything: %v", name, err)
		}
	}
}

func TestLogNamesInstallationsAndNothingElseThatAPathHolds(t *testing.T) {
	t.Parallel()
	for target, want := range map[vcs.Installation]vcs.Installation{
		github1: github1, {VCS: "gitlab", ID: "77"}: {VCS: "gitlab", ID: "77"}, {VCS: "", ID: ""}: {}, {VCS: "opk_x", ID: "opk_y"}: {}, {VCS: "github", ID: "12345678901234567890"}: {VCS: "github"},
		{VCS: "github", ID: "1\n"}: {VCS: "github"},
	} {
		got := map[string]string{}
		for _, a := range (&Refusal{Step: StepHost, Why: "w"}).Attrs(target) {
			got[a.Key] = a.Value.Resolve().String()
		}
		if got["vcs"] != string(want.VCS) || got["installation"] != string(want.ID) || got["step"] != "host" || got["why"] != "w" {
			t.Errorf("%q: got %v", target, got)
		}
	}
}

// bare is a refusal without a reason.
var bare = regexp.MustCompile(`return .*fault\.ErrForbidden`)

func TestEveryRefusalOfTheServerHasAReason(t *testing.T) {
	t.Parallel()
	looked := 0
	for _, root := range []string{filepath.Join("..", ".."), filepath.Join("..", "..", "..", "functions")} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") || strings.HasPrefix(path, filepath.Join("..", "..", "api", "access")) {
				return err
			}
			// Tests compare the store with the model. Nobody reads the reasons of
			// its refusals.
			if strings.Contains(path, "kvmodel") {
				return nil
			}
			looked++
			text, err := os.ReadFile(path)
			if line := bare.Find(text); line != nil {
				t.Errorf("%s: %s: use access.Refuse, so that the log can say why", path, line)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if looked < 100 {
		t.Errorf("looked at %d files only", looked)
	}
}
