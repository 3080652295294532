package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/google/uuid"

	"github.com/opsplane/opsplane/infra/admin"
	"github.com/opsplane/opsplane/infra/apiclient"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/background/delivery"
	"github.com/opsplane/opsplane/shared/credential/sealed"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/grouptoken"
)

// The installations of the deliveries.
const (
	githubInstallation = "424242"
	gitlabInstallation = "77"
)

// stack is the local stack's description of itself, from stack.json.
type stack struct {
	URL         string            `json:"url"`
	DynamoDBURL string            `json:"dynamodb_url"`
	Tables      map[string]string `json:"tables"`

	state string
	http  *http.Client
}

func open(state string) (*stack, error) {
	s := &stack{state: cmp.Or(state, ".local"), http: apiclient.NewHTTPClient(1)}
	text, err := os.ReadFile(filepath.Join(s.state, "stack.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("no local stack runs on %s: start one with make run, then try again", s.state)
	}
	if err != nil {
		return nil, err
	}
	return s, json.Unmarshal(text, s)
}

func (s *stack) db() *dynamodb.Client {
	return dynamodb.New(dynamodb.Options{
		BaseEndpoint: aws.String(s.DynamoDBURL), Region: "us-east-1",
		Credentials: credentials.NewStaticCredentialsProvider("local", "localsecret", ""),
	})
}

func run(ctx context.Context, state, folder string, out io.Writer) error {
	s, err := open(state)
	if err != nil {
		return err
	}
	if err := s.operate(ctx, out, "installation create --vcs gitlab --id "+gitlabInstallation+" --name acme-group"); err != nil {
		return err
	}
	sent, err := s.sendAll(ctx, folder, out)
	if err != nil {
		return err
	}
	if err := s.await(ctx, sent, out); err != nil {
		return err
	}
	if err := s.storeGroupToken(ctx); err != nil {
		return err
	}
	err = s.operate(ctx, out,
		"account link --user admin --vcs github --id 7 --login ann", "account link --user admin --vcs gitlab --id 7 --login ann",
		"membership add --user admin --vcs github --installation "+githubInstallation,
		"membership add --user admin --vcs gitlab --installation "+gitlabInstallation)
	if err != nil {
		return err
	}
	destroys, err := s.startRuns(ctx, out)
	if err != nil {
		return err
	}
	at := ""
	if s.state != ".local" {
		at = "STATE='" + s.state + "' "
	}
	week := time.Now().UTC().AddDate(0, 0, -7).Format(time.DateOnly)
	_, err = fmt.Fprintf(out, suggestion, s.URL, s.state, at, destroys, week)
	return err
}

// groupToken is the group access token that the local stack's simulated GitLab
// accepts.
const groupToken = "glpat-9-bot"

// storeGroupToken stores the token directly, because PUT …/access-token needs a
// login at GitLab.
func (s *stack) storeGroupToken(ctx context.Context) error {
	server, err := s.secret("opsplane-serversecret")
	if err != nil {
		return err
	}
	box := sealed.NewBox(sealed.Fixed([]byte(server)))
	author := change.Author{Principal: "operator:demo", Request: uuid.NewString(), At: time.Now()}
	return grouptoken.New(s.db(), s.Tables["SessionsTable"], box).Put(ctx, gitlabInstallation, groupToken, author)
}

// suggestion is a script for a shell. A token lives 60 seconds, so each call
// fetches a new one.
const suggestion = `
Try it: paste these lines into a shell in this folder.

  BASE=%[1]s
  token() { curl -sS -X POST -H "Authorization: Bearer $(cat '%[2]s/api-key')" $BASE/api/v1/access-token/refresh | sed 's/.*"token": *"//; s/".*//'; }
  api() { curl -sS -H "Authorization: Bearer $(token)" -H 'Content-Type: application/json' "$@"; echo; }

  # Installations; repositories of one, two per page (the header Link has the next page); pull requests of another
  api $BASE/api/v1/user/github/installations
  api -i "$BASE/api/v1/github/installations/424242/repos?limit=2"
  api $BASE/api/v1/gitlab/installations/77/pull-requests

  # Start a refresh, and look at its task
  TASK=$(api -X POST $BASE/api/v1/github/installations/424242/repos/refresh | sed 's/.*"id": *"//; s/".*//')
  sleep 2; api $BASE/api/v1/tasks/$TASK

  # Delete "legacy", which is archived at its host (at GitLab the archived one is "storage", with the id 503). The response names the task that removes its pull requests
  api -X DELETE $BASE/api/v1/github/installations/424242/repos/99001144

  # Runs: what failed this week below prod? What did the plan of pull request 18 print, and what would plans destroy? Who applied what?
  RUNS=$BASE/api/v1/github/installations/424242
  api -G $RUNS/dirspaces --data-urlencode 'q=state:failure and dir:prod/* and created_at:%[5]s..'
  api $RUNS/work-manifests/%[4]s/text
  api -G $RUNS/dirspaces --data-urlencode 'q=type:plan and destroys'
  api -G $RUNS/dirspaces --data-urlencode 'q=type:apply and state:success'

  # Start a plan. The stack's output shows how the stand-in for GitHub runs its job. Then see how the run is
  RUN=$(api $RUNS/repos/99001122/work-manifests -d '{"run_type":"plan","branch":"main","dirspaces":[{"dir":"staging/app"}]}' | sed 's/.*"id": *"//; s/".*//')
  sleep 8; api $RUNS/work-manifests/$RUN

  # All of it in the audit trail; and what the hosts have delivered
  sleep 2; api "$BASE/api/v1/audit?vcs=github&installation_id=424242&action=repository."
  %[3]smake admin ARGS="delivery list --vcs github --installation 424242"
`

// sendAll posts the deliveries of a folder, in the order of their names.
func (s *stack) sendAll(ctx context.Context, folder string, out io.Writer) ([]post, error) {
	signer, err := s.signer()
	if err != nil {
		return nil, err
	}
	files, err := filepath.Glob(filepath.Join(folder, "*.json"))
	if err != nil || len(files) == 0 {
		return nil, errors.Join(err, fmt.Errorf("%s has no deliveries: run this command in the project's folder", folder))
	}
	var sent []post
	for _, file := range files {
		p, err := signer.read(file)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		if err := s.send(ctx, p); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		fmt.Fprintf(out, "delivered  %s\n", filepath.Base(file))
		sent = append(sent, p)
	}
	return sent, nil
}

func (s *stack) send(ctx context.Context, p post) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL+p.path, bytes.NewReader(p.body))
	if err != nil {
		return err
	}
	r.Header = p.header
	resp, err := apiclient.Send(s.http, r)
	if err != nil {
		return fmt.Errorf("post to %s: %w", s.URL, err)
	}
	return resp.Want(http.StatusOK)
}

// await waits until the worker has processed every delivery.
func (s *stack) await(ctx context.Context, sent []post, out io.Writer) error {
	const patience, every = time.Minute, 200 * time.Millisecond
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	store := delivery.Store{DB: s.db(), Table: s.Tables["DeliveriesTable"]}
	for _, p := range sent {
		d, err := store.Get(ctx, vcs.VCS(p.vcs), p.id)
		for ; err == nil && d.State == delivery.Received; d, err = store.Get(ctx, vcs.VCS(p.vcs), p.id) {
			select {
			case <-time.After(every):
			case <-ctx.Done():
				return errors.New("the worker has not processed the deliveries within a minute: look at the stack's output")
			}
		}
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%-9s  %s %s %s\n", d.State, d.Installation.VCS, strings.TrimSuffix(d.Event+"."+d.Action, "."), d.Problem)
	}
	return nil
}

// operate runs an operator's commands. A command that was run before changes
// nothing.
func (s *stack) operate(ctx context.Context, out io.Writer, lines ...string) error {
	o := &admin.Operator{
		DB: s.db(), Now: time.Now, Name: "demo", Out: out,
		Tables: admin.Tables{Tokens: s.Tables["TokensTable"], SigningKeys: s.Tables["SigningKeysTable"], Operations: s.Tables["OperationsTable"]},
	}
	for _, line := range lines {
		if err := o.Run(ctx, strings.Fields(line)); err != nil {
			return err
		}
	}
	return nil
}
