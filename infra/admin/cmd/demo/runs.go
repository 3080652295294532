package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/opsplane/opsplane/infra/apiclient"
)

// runPath is where the runs of the demo's installation are.
const runPath = "/api/v1/github/installations/" + githubInstallation

// demoRun is a run that the demo starts by API in the repository acme/infra.
type demoRun struct {
	// name is part of the idempotency key: a second demo gets the same runs.
	name, body string
	// says is what the run shows.
	says string
}

// destroying is the name of the run whose plan destroys something.
const destroying = "plan-18"

var demoRuns = []demoRun{
	{"plan-main", `{"run_type":"plan","branch":"main","dirspaces":[{"dir":"prod/net"},{"dir":"prod/app"},{"dir":"staging/app"}]}`, "plan of main"},
	{"apply-main", `{"run_type":"apply","branch":"main","dirspaces":[{"dir":"prod/net"},{"dir":"prod/app"},{"dir":"staging/app"}]}`, "apply of main"},
	{destroying, `{"run_type":"plan","pull_number":18,"dirspaces":[{"dir":"prod/net"}]}`, "plan of pull request 18, which would destroy something"},
	{"plan-broken", `{"run_type":"plan","branch":"broken","dirspaces":[{"dir":"prod/app"}]}`, "plan of the branch broken, which fails"},
}

// shownRun is what the demo reads of a run.
type shownRun struct {
	ID        string
	State     string
	Reason    struct{ Text string }
	Dirspaces []struct {
		Dir     string
		Success bool
	}
}

// startRuns starts the runs one after the other, waits for the end of each, and returns the
// id of the one that would destroy something.
func (s *stack) startRuns(ctx context.Context, out io.Writer) (string, error) {
	key, err := os.ReadFile(filepath.Join(s.state, "api-key"))
	if err != nil {
		return "", err
	}
	api := apiclient.New(s.URL, strings.TrimSpace(string(key)), s.http)
	found := ""
	for _, r := range demoRuns {
		fmt.Fprintf(out, "starting   %s\n", r.says)
		shown, err := s.startRun(ctx, api, r)
		if err != nil {
			return "", fmt.Errorf("%s: %w", r.says, err)
		}
		fmt.Fprintf(out, "%-9s  %s: %s\n", shown.State, r.says, shown.summary())
		if r.name == destroying {
			found = shown.ID
		}
	}
	return found, nil
}

// startRun starts a run and waits for its end.
func (s *stack) startRun(ctx context.Context, api *apiclient.Client, r demoRun) (shownRun, error) {
	const patience, every = 3 * time.Minute, 200 * time.Millisecond
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var shown shownRun
	resp, err := api.Do(ctx, apiclient.Request{
		Method: http.MethodPost, Path: runPath + "/repos/99001122/work-manifests", Body: []byte(r.body), Repeatable: true,
		Header: http.Header{"Idempotency-Key": {"demo-" + r.name}},
	})
	if err == nil {
		err = resp.Want(http.StatusCreated)
	}
	for err == nil {
		if err = resp.Decode(&shown); err != nil || shown.State == "completed" || shown.State == "aborted" {
			break
		}
		select {
		case <-time.After(every):
		case <-ctx.Done():
			return shown, fmt.Errorf("run %s has not ended within %s: look at the stack's output", shown.ID, patience)
		}
		resp, err = api.Do(ctx, apiclient.Request{Method: http.MethodGet, Path: runPath + "/work-manifests/" + shown.ID})
		if err == nil {
			err = resp.Want(http.StatusOK)
		}
	}
	return shown, err
}

// summary says how the run went.
func (r shownRun) summary() string {
	if r.Reason.Text != "" {
		return r.Reason.Text
	}
	var parts []string
	for _, d := range r.Dirspaces {
		word := "failed"
		if d.Success {
			word = "succeeded"
		}
		parts = append(parts, d.Dir+" "+word)
	}
	return strings.Join(parts, ", ")
}
