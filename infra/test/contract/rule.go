package contract

import (
	"slices"
	"strings"
	"testing"

	"github.com/opsplane/opsplane/shared/api/access"
)

// schemes are the document's names for the kinds of credential.
var schemes = map[access.Kind]string{
	access.KindAPIKey:      "apiKey",
	access.KindAccessToken: "accessToken",
	access.KindSession:     "session",
}

// checkRule fails the test unless a route's rule is what the document says of
// its operation, and reaches as far as the variables of its path.
func checkRule(t testing.TB, op operation, rule access.Rule) {
	t.Helper()
	if rule.Public {
		if len(op.Security) > 0 {
			t.Errorf("%s is public, the document asks for %v", op, op.Security)
		}
		return
	}
	kinds := rule.Kinds
	if len(kinds) == 0 {
		kinds = access.DefaultKinds()
	}
	var want, got []string
	for _, kind := range kinds {
		want = append(want, credential(schemes[kind], capabilityNames(rule.Needs)))
	}
	for _, alternative := range op.Security {
		for scheme, names := range alternative {
			got = append(got, credential(scheme, names))
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(want, got) {
		t.Errorf("%s: the function asks for %v, the document for %v", op, want, got)
	}
	scope := access.ScopeCaller
	switch {
	case strings.Contains(op.Path, "{installation_id}"):
		scope = access.ScopeInstallation
	case strings.Contains(op.Path, "{vcs}"):
		scope = access.ScopeVCS
	}
	// Which routes ask the host, and so let others through, the walk of the journeys shows.
	if rule.Scope != scope && (scope != access.ScopeInstallation || rule.Scope != access.ScopeHosted) {
		t.Errorf("%s: scope %d, want %d by the variables of its path", op, rule.Scope, scope)
	}
}

func capabilityNames(needs []access.Capability) []string {
	var names []string
	for _, c := range needs {
		names = append(names, c.Name)
	}
	return names
}

// credential writes a scheme and what it must carry as one text.
func credential(scheme string, names []string) string {
	names = slices.Clone(names)
	slices.Sort(names)
	return scheme + "(" + strings.Join(names, " ") + ")"
}
