package pullrequest

import (
	"strings"

	"github.com/opsplane/opsplane/shared/audit"
	"github.com/opsplane/opsplane/shared/vcs"
)

// AuditRecord is the audit.Owner of pull requests. A removal has no record of its own:
// pull requests are removed with their repository, which has one.
func AuditRecord(c audit.Change) (audit.Record, bool) {
	rest, ok := strings.CutPrefix(c.PK, prefix)
	if !ok || len(c.After) == 0 {
		return audit.Record{}, false
	}
	system, id, _ := strings.Cut(rest, "#")
	subject := c.After.Text(attrRepository) + "#" + c.After.Text(attrNumber)
	action := "pull_request.change"
	if len(c.Before) == 0 {
		action = "pull_request.create"
	}
	r, ok := c.Shown(action, subject,
		attrTitle, attrUser, attrState, attrBaseBranch, attrBranch, attrSHA, attrMergedSHA, attrDraft)
	if ok {
		// A record says everything about the pull request, also if little has changed:
		// its readers cannot ask the host.
		r.After = c.After.ShowAs(map[string]string{
			"repository": attrRepository, "number": attrNumber, "title": attrTitle, "user": attrUser, "state": attrState,
			"base_branch": attrBaseBranch, "branch": attrBranch, "sha": attrSHA, "merged_sha": attrMergedSHA, "draft": attrDraft,
		})
	}
	return r.In(vcs.Installation{VCS: vcs.VCS(system), ID: vcs.ID(id)}), ok
}
