// Command seed makes, in a running local stack, the data that infra/test/conformance needs and
// that the API cannot make: a user with an API key, installations of both VCSs of which the
// user is a member, tasks, and runs. It prints their ids as assignments for a shell.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/google/uuid"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/background/task"
	"github.com/opsplane/opsplane/shared/credential/apikey"
	"github.com/opsplane/opsplane/shared/login/user"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/installation"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: seed STATE")
		os.Exit(2)
	}
	if err := seed(context.Background(), os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "seed:", err)
		os.Exit(1)
	}
}

func seed(ctx context.Context, state string) error {
	text, err := os.ReadFile(filepath.Join(state, "stack.json"))
	if err != nil {
		return fmt.Errorf("no stack runs on %s: %w", state, err)
	}
	var stack struct {
		URL      string
		DynamoDB string            `json:"dynamodb_url"`
		Tables   map[string]string `json:"tables"`
	}
	if err := json.Unmarshal(text, &stack); err != nil {
		return fmt.Errorf("stack.json: %w", err)
	}
	db := dynamodb.New(dynamodb.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(stack.DynamoDB),
		Credentials: credentials.NewStaticCredentialsProvider("local", "localsecret", ""),
	})
	owner, err := member(ctx, db, stack.Tables["OperationsTable"])
	if err != nil {
		return err
	}
	keys := apikey.Store{DB: db, Table: stack.Tables["TokensTable"]}
	secret, key, err := keys.Create(ctx, apikey.New{User: owner, Name: "the run itself", Capabilities: access.Strings()}, author())
	if err != nil {
		return err
	}
	ids, err := tasks(ctx, task.Store{DB: db, Table: stack.Tables["OperationsTable"]}, owner)
	if err != nil {
		return err
	}
	w, err := newWorker(state, stack.URL, db, stack.Tables["RunsTable"])
	if err != nil {
		return err
	}
	// A line has a VCS, the id and the credentials of a run that has completed, and those of one
	// that is running.
	var runs []string
	for _, system := range vcs.All() {
		done, running, err := w.scene(ctx, system)
		if err != nil {
			return fmt.Errorf("runs of %s: %w", system, err)
		}
		runs = append(runs, strings.Join([]string{string(system), string(done.id), done.workToken, done.credential, string(running.id), running.workToken, running.credential}, " "))
	}
	fmt.Printf("CONFORMANCE_RUNS='%s'\n", strings.Join(runs, "\n"))
	fmt.Printf("CONFORMANCE_URL='%s'\nCONFORMANCE_API_KEY='%s'\nCONFORMANCE_API_KEY_ID='%s'\nCONFORMANCE_TASKS='%s'\n",
		stack.URL, secret, key.ID, strings.Join(ids, " "))
	return nil
}

// member makes a user who may act on installation 1 of both VCSs, and returns the user's id.
func member(ctx context.Context, db *dynamodb.Client, table string) (string, error) {
	users, installations := user.Store{DB: db, Table: table}, installation.Store{DB: db, Table: table}
	u, err := users.Create(ctx, "conformance", author())
	if err != nil {
		return "", err
	}
	for _, system := range vcs.All() {
		if _, err := installations.Save(ctx, author(), installation.Installation{VCS: system, ID: "1", Name: "conformance"}); err != nil {
			return "", err
		}
		if err := users.AddMembership(ctx, u.ID, vcs.Installation{VCS: system, ID: "1"}, author()); err != nil {
			return "", err
		}
	}
	return u.ID, nil
}

// tasks makes one task in each state that a task can have, and returns their ids. The tasks are
// due in an hour, so that the stack's worker does not end them before.
func tasks(ctx context.Context, store task.Store, owner string) ([]string, error) {
	var ids []string
	later := author()
	later.At = later.At.Add(time.Hour)
	for _, state := range []task.State{task.Pending, task.Running, task.Completed, task.Failed} {
		made := task.Task{ID: uuid.NewString(), Owner: owner, Name: "look at it", Kind: task.RefreshRepositories, Installation: vcs.Installation{VCS: vcs.GitHub, ID: "1"}}
		if err := store.Create(ctx, later, made); err != nil {
			return nil, err
		}
		ids = append(ids, made.ID)
		if state == task.Pending {
			continue
		}
		run, err := store.Begin(ctx, made.ID, later.At)
		if err != nil {
			return nil, err
		}
		if state == task.Running {
			continue
		}
		if err := store.End(ctx, run, state, "", later.At); err != nil {
			return nil, err
		}
	}
	return ids, nil
}

func author() change.Author {
	return change.Author{Principal: "operator:conformance", Request: uuid.NewString(), At: time.Now()}
}
