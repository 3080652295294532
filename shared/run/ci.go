package run

import (
	"strings"

	"github.com/opsplane/opsplane/shared/vcs"
)

// pipelinePrefix is the beginning of the id of a pipeline. The ids of GitLab's jobs are
// numbers, so no two ids are the same.
const pipelinePrefix = "pipeline-"

// PipelineID returns the form of the id of a GitLab pipeline in Dispatch.ID.
func PipelineID(id string) string { return pipelinePrefix + id }

// HostID returns the id with which the host can be asked for what it started for the
// run: on GitHub a workflow run, on GitLab a pipeline. It is empty if it is not known.
func (r Run) HostID() string {
	if id, ok := strings.CutPrefix(r.Dispatch.ID, pipelinePrefix); ok {
		return id
	}
	if r.Repository.Installation.VCS == vcs.GitLab {
		return "" // CIRun is a job
	}
	if r.CIRun != "" {
		return r.CIRun
	}
	return r.Dispatch.ID
}
