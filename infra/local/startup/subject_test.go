//go:build unix

package startup

import (
	"path/filepath"
	"testing"

	"github.com/opsplane/opsplane/infra/test/template"
)

func TestEachFunctionMeetsTheReferenceWithItsClients(t *testing.T) {
	root, err := template.Root(".")
	if err != nil {
		t.Fatal(err)
	}
	tmpl, err := template.Load(filepath.Join(root, "template.yaml"), template.Options{})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]subject{}
	for _, s := range subjects(tmpl) {
		got[s.function.Group] = s
	}
	if len(got) != len(tmpl.Functions) {
		t.Errorf("got %d subjects, want one for each of %d functions", len(got), len(tmpl.Functions))
	}
	for group, want := range map[string]subject{
		"authorizer": {reference: hello, goal: authorizerGoal},
		"tokens":     {reference: dynamoDBOnly, goal: functionGoal},
		"kv":         {reference: dynamoDBWithS3, goal: functionGoal},
	} {
		if s := got[group]; s.reference != want.reference || s.goal != want.goal {
			t.Errorf("%s: got reference %q, goal %v; want %q, %v", group, s.reference, s.goal, want.reference, want.goal)
		}
	}
}
