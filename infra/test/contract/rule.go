package contract

import (
	"slices"
	"strings"
	"testing"

	"github.com/opsplane/opsplane/shared/api/access"
)

// schemes maps each kind of credential to its name in the document.
var schemes = map[access.Kind]string{
	access.KindAPIKey:      "apiKey",
	access.KindAccessToken: "accessToken",
	access.KindSession:     "session",
	access.KindRun:         "runToken",
}

// checkRule fails the test unless a route's rule is what the document says about its operation,
// and unless the rule's scope fits the variables of the path.
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
		needs := rule.Needs
		if kind != access.KindSession {
			needs = slices.Concat(needs, rule.TokenNeeds)
		}
		if kind == access.KindSession || len(rule.TokenNeedsOne) == 0 {
			want = append(want, credential(schemes[kind], capabilityNames(needs)))
			continue
		}
		for _, one := range rule.TokenNeedsOne {
			want = append(want, credential(schemes[kind], capabilityNames(append(slices.Clone(needs), one))))
		}
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
	// The walk of package journey checks which routes ask the host and therefore admit other
	// callers.
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

// credential returns a scheme and the capabilities that it must carry as one text.
func credential(scheme string, names []string) string {
	names = slices.Clone(names)
	slices.Sort(names)
	return scheme + "(" + strings.Join(names, " ") + ")"
}
