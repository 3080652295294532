package httpapi_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/httpapi"
)

func TestLogSaysWhyARequestWasRefusedAndTheAnswerDoesNot(t *testing.T) {
	t.Parallel()
	rule := access.Rule{Needs: []access.Capability{access.KVStoreWrite}, Scope: access.ScopeVCS}
	token := func(caps ...access.Capability) *access.Caller {
		return &access.Caller{Kind: access.KindAccessToken, User: "u", Key: "k", Capabilities: caps}
	}
	for name, c := range map[string]struct {
		caller    *access.Caller
		err       error
		step, why string
	}{
		"no caller":     {nil, nil, "credential", "passed no authorizer"},
		"no capability": {token(), nil, "capability", "the credential lacks kv_store_write"},
		"restriction":   {token(access.KVStoreWrite, access.VCS("gitlab")), nil, "restriction", "the credential is restricted to vcs gitlab"},
		"the operation": {token(access.KVStoreWrite), access.Refuse(access.StepHost, "level %d", 30), "host", "level 30"},
		"joined":        {token(access.KVStoreWrite), errors.Join(errors.New("x"), access.Refuse(access.StepAccount, "gone")), "account", "gone"},
	} {
		resp, log := invoke(t, rule, c.caller, `{"n":1}`, func(httpapi.Call, input) (any, error) { return nil, c.err })
		var line struct {
			Step, Why, VCS, Fault string
			Installation          *string
			Refused               int
		}
		if err := json.Unmarshal([]byte(log), &line); err != nil {
			t.Fatal(err)
		}
		if line.Step != c.step || !strings.Contains(line.Why, c.why) || line.VCS != "github" || line.Installation == nil || line.Refused != 1 || line.Fault != "FORBIDDEN" {
			t.Errorf("%s: log line %s", name, log)
		}
		if resp.StatusCode != 403 || resp.Body != "" {
			t.Errorf("%s: got %d %q, want an empty 403", name, resp.StatusCode, resp.Body)
		}
	}
	_, log := invoke(t, access.Rule{Public: true}, nil, `{"n":1}`, echo)
	if strings.Contains(log, `"step"`) {
		t.Errorf("of a request that was let in: %s", log)
	}
}
