package vcsevent

import (
	"strconv"

	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// githubCI is a job or a run of GitHub Actions. A job has the id of its run in
// run_id.
type githubCI struct {
	ID         member[int64]  `json:"id"`
	RunID      member[int64]  `json:"run_id"`
	Conclusion member[string] `json:"conclusion"`
	HTMLURL    member[string] `json:"html_url"`
}

// succeeded are the conclusions of GitHub after which nothing has failed. "neutral"
// counts as success at GitHub ("Workflow jobs", GitHub documentation).
var succeeded = map[string]bool{"success": true, "neutral": true}

// ci reads how a job or a run of a repository ended. Only a workflow run can say
// "startup_failure": then there is no job.
func (p *githubPayload) ci(c *checker, event string, repository vcs.ID) []Fact {
	path, object := event, p.WorkflowJob
	if event == "workflow_run" {
		object = p.WorkflowRun
	}
	ci := part(c, path, object)
	if !object.has() {
		c.fail("%s is missing", path)
		return nil
	}
	if p.action(c) != "completed" {
		return nil
	}
	conclusion := c.text(path+".conclusion", ci.Conclusion, maxName)
	id := ci.RunID
	if event == "workflow_run" {
		path, id = path+".id", ci.ID
	} else {
		path += ".run_id"
	}
	ended := &CIEnded{Repository: repository, Run: string(c.id(path, id)), Conclusion: conclusion, URL: pageOf(ci.HTMLURL)}
	if succeeded[conclusion] {
		return nil
	}
	return []Fact{ended}
}

// pageOf returns the address of a page. It returns an empty text if there is none
// that people can be sent to.
func pageOf(m member[string]) string { return vcshost.PageURL(optional(m, maxURL)) }

// failedBuilds are the statuses of a GitLab job or pipeline that ended without
// success. A skipped one never ran.
var failedBuilds = map[string]bool{"failed": true, "canceled": true, "skipped": true}

// build reads how a job of GitLab ended ("Job events", GitLab documentation). Its
// page has the address of its project.
func (p *gitlabPayload) build(c *checker) []Fact {
	repository := c.id(p.id())
	status := c.text("build_status", p.BuildStatus, maxName)
	job, run := c.id("build_id", p.BuildID), c.id("pipeline_id", p.PipelineID)
	if p.BuildAllowFailure.value || !failedBuilds[status] {
		return nil
	}
	ended := &CIEnded{Repository: repository, Run: string(run), Job: string(job), Conclusion: status}
	if project := pageOf(p.Project.value.WebURL); project != "" && job != "" {
		ended.URL = project + "/-/jobs/" + string(job)
	}
	return []Fact{ended}
}

// pipeline reads how a pipeline of GitLab ended ("Pipeline events", GitLab
// documentation).
func (p *gitlabPayload) pipeline(c *checker) []Fact {
	object := part(c, "object_attributes", p.ObjectAttributes)
	if !p.ObjectAttributes.has() {
		c.fail("object_attributes is missing")
		return nil
	}
	repository := c.id(p.id())
	status, run := c.text("object_attributes.status", object.Status, maxName), c.whole("object_attributes.id", object.ID)
	if !failedBuilds[status] {
		return nil
	}
	return []Fact{&CIEnded{Repository: repository, Run: strconv.FormatInt(run, 10), Conclusion: status, URL: pageOf(object.URL)}}
}

// lenient reads facts of an event that is about every job of a project. Most jobs
// are not of this server. So a body of another form is reported, and is no error.
func lenient(c *checker, read func(*checker) []Fact) []Fact {
	var own checker
	found := read(&own)
	if own.err != nil {
		c.skip(own.err.(*Undecodable).Reason)
		return nil
	}
	return found
}
