package testrunner

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// pauses are those between the attempts of a request (runner protocol, 3).
var pauses = []time.Duration{time.Second, 1500 * time.Millisecond, 2250 * time.Millisecond, 3375 * time.Millisecond}

// response is a response of the server.
type response struct {
	status int
	body   []byte
}

// call sends a request and repeats it after a failure that may pass. body nil sends no body.
func (s *session) call(ctx context.Context, method, path string, body any) (response, error) {
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			return response{}, err
		}
	}
	if s.Fault == Repeat {
		if _, err := s.attempt(ctx, method, path, text); err != nil {
			return response{}, err
		}
	}
	for _, pause := range pauses {
		got, err := s.attempt(ctx, method, path, text)
		if err == nil && got.status < 500 && got.status != http.StatusTooManyRequests {
			return got, nil
		}
		select {
		case <-ctx.Done():
			return got, ctx.Err()
		case <-time.After(pause):
		}
	}
	return s.attempt(ctx, method, path, text)
}

func (s *session) attempt(ctx context.Context, method, path string, body []byte) (response, error) {
	r, err := http.NewRequestWithContext(ctx, method, s.APIBaseURL+"/v1/work-manifests/"+s.WorkToken+path, bytes.NewReader(body))
	if err != nil {
		return response{}, err
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if s.work.Token != "" {
		r.Header.Set("Authorization", "bearer "+s.work.Token)
	}
	resp, err := s.http.Do(r)
	if err != nil {
		return response{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	return response{resp.StatusCode, text}, err
}

// initiate asks for the work.
func (s *session) initiate(ctx context.Context) error {
	got, err := s.call(ctx, http.MethodPost, "/initiate", map[string]string{"run_id": s.CIRun, "sha": s.Commit})
	switch {
	case err != nil:
		return err
	case got.status != http.StatusOK:
		return fmt.Errorf("the server gives no work: %d %s", got.status, got.body)
	}
	return json.Unmarshal(got.body, &s.work)
}

// refreshToken asks for a new token of GitHub.
func (s *session) refreshToken(ctx context.Context) error {
	got, err := s.call(ctx, http.MethodPost, "/access-token", nil)
	if err != nil {
		return err
	}
	var body struct {
		AccessToken string `json:"access_token"`
	}
	if got.status != http.StatusOK || json.Unmarshal(got.body, &body) != nil || body.AccessToken == "" {
		return fmt.Errorf("the server gives no token of GitHub: %d %s", got.status, got.body)
	}
	s.githubToken = body.AccessToken
	return nil
}

// putPlan stores a plan at the server. data is in the form of the runner.
func (s *session) putPlan(ctx context.Context, d dirspace, data []byte, changes bool) error {
	got, err := s.call(ctx, http.MethodPost, "/plans", map[string]any{
		"path": d.Path, "workspace": d.Workspace, "plan_data": data, "has_changes": changes,
	})
	if err == nil && got.status != http.StatusOK {
		err = fmt.Errorf("the plan could not be stored: %d %s", got.status, got.body)
	}
	return err
}

// getPlan fetches a plan.
func (s *session) getPlan(ctx context.Context, d dirspace) ([]byte, error) {
	got, err := s.call(ctx, http.MethodGet, "/plans?"+url.Values{"path": {d.Path}, "workspace": {d.Workspace}}.Encode(), nil)
	if err != nil {
		return nil, err
	}
	var body struct {
		Data []byte `json:"data"`
	}
	if got.status != http.StatusOK {
		return nil, fmt.Errorf("the plan could not be loaded: %d %s", got.status, got.body)
	}
	if err := json.Unmarshal(got.body, &body); err != nil {
		return nil, err
	}
	return body.Data, nil
}

// send sends the report.
func (s *session) send(ctx context.Context) error {
	var body any = s.report.masked(s.secrets())
	if s.Fault == ReportNonsense {
		body = map[string]any{"steps": "none"}
	}
	got, err := s.call(ctx, http.MethodPut, "", body)
	if err == nil && got.status != http.StatusOK {
		err = fmt.Errorf("the server does not take the report: %d %s", got.status, got.body)
	}
	return err
}
