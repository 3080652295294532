package demohost

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/opsplane/opsplane/infra/test/vcstest"
)

// deliverGitHub sends the event that a job of GitHub Actions has ended.
func (c *ci) deliverGitHub(ctx context.Context, run vcstest.CIRun, conclusion string) error {
	body, err := json.Marshal(map[string]any{
		"action": "completed",
		"workflow_job": map[string]any{
			"id": run.ID*10 + 1, "run_id": run.ID, "status": "completed", "conclusion": conclusion,
			"html_url": fmt.Sprintf("https://github.example.com/%s/actions/runs/%d/job/%d", run.Repository, run.ID, run.ID*10+1),
		},
		"repository":   c.githubRepository(run.Repository),
		"installation": map[string]any{"id": number(installation)},
	})
	if err != nil {
		return err
	}
	return c.post(ctx, vcstest.GitHubEvents, vcstest.GitHubDelivery("workflow_job", uuid.NewString(), c.config.GitHubSecret, body), body)
}

// deliverGitLab sends the event that a job of a pipeline has ended.
func (c *ci) deliverGitLab(ctx context.Context, run vcstest.CIRun, status string) error {
	id := projectID(run.Repository)
	body, err := json.Marshal(map[string]any{
		"object_kind": "build", "build_id": run.ID*10 + 1, "build_status": status, "pipeline_id": run.ID, "project_id": id,
		"project": map[string]any{"id": id, "path_with_namespace": run.Repository, "web_url": "https://gitlab.example.com/" + run.Repository},
	})
	if err != nil {
		return err
	}
	return c.post(ctx, vcstest.GitLabEvents, vcstest.GitLabDelivery("Job Hook", uuid.NewString(), c.config.GitLabToken), body)
}

// maxPost is the time that a delivery may take.
const maxPost = 30 * time.Second

// post sends a delivery once. The server also finds out how a job ended if a delivery is lost.
func (c *ci) post(ctx context.Context, path string, header http.Header, body []byte) error {
	ctx, cancel := context.WithTimeout(ctx, maxPost)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.config.Server+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header = header
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the server answered %s", resp.Status)
	}
	return nil
}

// number returns an id as the hosts' events have it.
func number(id string) int64 {
	n, _ := strconv.ParseInt(id, 10, 64)
	return n
}
