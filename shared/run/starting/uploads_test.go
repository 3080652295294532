package starting

import (
	"strings"
	"testing"

	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/vcs"
)

func TestRunnerUploadsPlansIfTheOperatorWantsIt(t *testing.T) {
	t.Parallel()
	spec := run.Spec{
		Repository: vcs.Installation{VCS: vcs.GitLab, ID: "42"}.Repository("7"), Type: run.Plan, Kind: run.Kind{Name: run.Branch},
		Base: run.Ref{Branch: "main", Commit: "aa"},
	}
	for _, on := range []bool{false, true} {
		starter := Starter{PublicBaseURL: "https://ops.example.com", PlanUploads: on}
		text, err := starter.document(Order{Spec: spec})
		if err != nil || strings.Contains(string(text), `"https://ops.example.com/api/gitlab/v1/work-manifests/$token"`) != on {
			t.Errorf("uploads %t: got %s, %v", on, text, err)
		}
	}
}
