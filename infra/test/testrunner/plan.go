package testrunner

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"
)

// planStorage says where plans are kept (runner protocol, 11).
type planStorage struct {
	Method string   `json:"method"`
	Store  []string `json:"store"`
	Fetch  []string `json:"fetch"`
	Delete []string `json:"delete"`
}

// The methods of plan storage.
const (
	byServer  = "terrateam"
	byCommand = "cmd"
)

// planData is what the runner stores at the server. With byServer it holds the plan. With
// byCommand it says how to get it.
type planData struct {
	Method  string   `json:"method"`
	Version int      `json:"version"`
	Data    []byte   `json:"data,omitempty"`
	Fetch   []string `json:"fetch,omitempty"`
	Delete  []string `json:"delete,omitempty"`
}

// wrapPlan returns what is stored at the server for a plan.
func (s *session) wrapPlan(ctx context.Context, at place) ([]byte, error) {
	storage := s.work.Config.Storage.Plans
	switch cmp.Or(storage.Method, byServer) {
	case byServer:
		data, err := os.ReadFile(at.plan)
		if err != nil {
			return nil, err
		}
		return json.Marshal(planData{Method: byServer, Version: 1, Data: data})
	case byCommand:
		now := time.Now().UTC()
		expand := placeholders(
			"$date", now.Format(time.DateOnly), "$time", now.Format("150405"), "$dir", at.Path, "$workspace", at.Workspace,
			"$plan_path", at.plan, "$token", rand.Text())
		if err := s.move(ctx, at, "store", expand(storage.Store)); err != nil {
			return nil, err
		}
		return json.Marshal(planData{Method: byCommand, Version: 1, Fetch: expand(storage.Fetch), Delete: expand(storage.Delete)})
	}
	return nil, fmt.Errorf("this runner does not know the plan storage %q", storage.Method)
}

// unwrapPlan writes the file of the plan that the server has chosen.
func (s *session) unwrapPlan(ctx context.Context, at place) error {
	text, err := s.getPlan(ctx, at.dirspace)
	if err != nil {
		return err
	}
	var data planData
	if err := json.Unmarshal(text, &data); err != nil {
		return fmt.Errorf("the stored plan is not one of a runner: %w", err)
	}
	if data.Method != byCommand {
		return os.WriteFile(at.plan, data.Data, 0o600)
	}
	expand := placeholders("$plan_dst_path", at.plan)
	if err := s.move(ctx, at, "fetch", expand(data.Fetch)); err != nil {
		return err
	}
	return s.move(ctx, at, "delete", expand(data.Delete))
}

// move runs a command of the plan storage.
func (s *session) move(ctx context.Context, at place, what string, command []string) error {
	if len(command) == 0 {
		return fmt.Errorf("the plan storage has no command to %s a plan", what)
	}
	if _, text, err := program(ctx, at.dir, at.env, command[0], command[1:]...); err != nil {
		return fmt.Errorf("the command to %s a plan failed: %w: %s", what, err, text)
	}
	return nil
}

// placeholders returns a function that replaces placeholders in the words of a command.
func placeholders(pairs ...string) func([]string) []string {
	replacer := strings.NewReplacer(pairs...)
	return func(command []string) []string {
		words := make([]string, len(command))
		for i, word := range command {
			words[i] = replacer.Replace(word)
		}
		return words
	}
}
