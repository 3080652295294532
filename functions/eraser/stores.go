package main

import (
	"context"
	"encoding/base64"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/background/delivery"
	"github.com/opsplane/opsplane/shared/background/task"
	"github.com/opsplane/opsplane/shared/credential/apikey"
	"github.com/opsplane/opsplane/shared/evaluation/lane"
	"github.com/opsplane/opsplane/shared/evaluation/object"
	"github.com/opsplane/opsplane/shared/kv"
	"github.com/opsplane/opsplane/shared/kv/artifact"
	"github.com/opsplane/opsplane/shared/login/grant"
	"github.com/opsplane/opsplane/shared/login/membership"
	"github.com/opsplane/opsplane/shared/login/user"
	runs "github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/changeset"
	"github.com/opsplane/opsplane/shared/run/output"
	"github.com/opsplane/opsplane/shared/run/planstore"
	"github.com/opsplane/opsplane/shared/run/runremoval"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/run/standing"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/grouptoken"
	"github.com/opsplane/opsplane/shared/vcs/installation"
	"github.com/opsplane/opsplane/shared/vcs/pullrequest"
	"github.com/opsplane/opsplane/shared/vcs/repository"
)

// stores hold the data of installations and persons.
type stores struct {
	db *dynamodb.Client
	// sessions is the physical name of SessionsTable.
	sessions      string
	records       *kv.Store
	files         *artifact.Store
	repositories  repository.Store
	pullRequests  pullrequest.Store
	deliveries    delivery.Store
	installations installation.Store
	users         *user.Store
	keys          *apikey.Store
	renewals      membership.Renewals
	runs          runstore.Store
	changes       changeset.Store
	// beforeRun removes what other packages keep of a run.
	beforeRun runstore.Before
	standing  standing.Store
	lanes     lane.Store
}

// places are the physical names of the tables and of the buckets.
type places struct {
	operations, tokens, sessions, vcs, deliveries, kv, bucket string
	runs, runsBucket, evaluation                              string
}

func open(db *dynamodb.Client, objects *s3.Client, at places, limits runstore.Limits) stores {
	records := kv.New(db, objects, at.kv, at.bucket)
	return stores{
		db: db, sessions: at.sessions,
		// The store has no limits, because nothing is uploaded here.
		records: records, files: artifact.NewStore(db, objects, records, at.kv, at.bucket, artifact.Limits{}),
		repositories: repository.Store{DB: db, Table: at.vcs}, pullRequests: pullrequest.Store{DB: db, Table: at.vcs},
		deliveries:    delivery.Store{DB: db, Table: at.deliveries},
		installations: installation.Store{DB: db, Table: at.operations},
		users:         &user.Store{DB: db, Table: at.operations}, keys: &apikey.Store{DB: db, Table: at.tokens},
		renewals: membership.Renewals{DB: db, Table: at.operations},
		runs:     runstore.Store{DB: db, Table: at.runs, Limits: limits},
		changes:  changeset.Store{DB: db, Objects: objects, Table: at.runs, Bucket: at.runsBucket},
		beforeRun: runremoval.Before(output.New(db, objects, at.runs, at.runsBucket),
			planstore.Store{DB: db, Objects: objects, Table: at.runs, Bucket: at.runsBucket}),
		standing: standing.Store{Table: table.Table{DB: db, Name: at.runs}},
		lanes:    lane.Store{DB: db, Table: at.evaluation, Objects: object.Bucket{Client: objects, Name: at.runsBucket}},
	}
}

// runsPart is how many other things count as much as a run, which has up to a hundred
// items and objects.
const runsPart = 5

// ofInstallation returns the stages of an installation. Its own item is removed
// last.
func (s stores) ofInstallation() []stage {
	return []stage{
		{name: "group token", do: func(ctx context.Context, run *task.Run, author change.Author, _ how) (int, string, bool, error) {
			if run.Installation.VCS != vcs.GitLab {
				return 0, "", false, nil
			}
			return whole(grouptoken.Erase(ctx, s.db, s.sessions, run.Installation.ID, author))
		}},
		{name: "uploads", do: func(ctx context.Context, run *task.Run, author change.Author, h how) (int, string, bool, error) {
			n, next, err := s.files.AbortAll(ctx, namespace(run), author, h.after, h.limit)
			return n, next, next != "", err
		}},
		{name: "keys", do: func(ctx context.Context, run *task.Run, author change.Author, h how) (int, string, bool, error) {
			after, err := base64.StdEncoding.DecodeString(h.after) // keys may hold any bytes
			if err != nil {
				return 0, "", false, fmt.Errorf("read cursor: %w", err)
			}
			n, next, err := s.records.Erase(ctx, kv.Caller{Installation: namespace(run), Author: author}, after, h.limit, h.final)
			return n, base64.StdEncoding.EncodeToString(next), next != nil, err
		}},
		{name: "evaluations", do: func(ctx context.Context, run *task.Run, _ change.Author, h how) (int, string, bool, error) {
			return remaining(s.lanes.RemoveInstallation(ctx, run.Installation, h.limit))
		}},
		{name: "runs", do: func(ctx context.Context, run *task.Run, author change.Author, h how) (int, string, bool, error) {
			erased := 0
			count := func(ctx context.Context, r runs.Run) error {
				erased++
				return s.beforeRun(ctx, r)
			}
			finished, err := s.runs.RemoveInstallation(ctx, run.Installation, max(1, h.limit/runsPart), count, author)
			return erased, "", !finished, err
		}},
		{name: "what stands where", do: func(ctx context.Context, run *task.Run, _ change.Author, h how) (int, string, bool, error) {
			finished, err := s.standing.RemoveInstallation(ctx, run.Installation, h.limit)
			return 0, "", !finished, err
		}},
		{name: "change sets", do: func(ctx context.Context, run *task.Run, _ change.Author, h how) (int, string, bool, error) {
			return remaining(s.changes.RemoveInstallation(ctx, run.Installation, h.limit))
		}},
		{name: "pull requests", do: func(ctx context.Context, run *task.Run, _ change.Author, h how) (int, string, bool, error) {
			return remaining(s.pullRequests.Erase(ctx, run.Installation, h.limit))
		}},
		{name: "repositories", do: func(ctx context.Context, run *task.Run, author change.Author, h how) (int, string, bool, error) {
			return remaining(s.repositories.Erase(ctx, author, run.Installation, h.limit))
		}},
		{name: "deliveries", do: func(ctx context.Context, run *task.Run, _ change.Author, h how) (int, string, bool, error) {
			return remaining(s.deliveries.Erase(ctx, run.Installation, h.limit))
		}},
		{name: "installation", last: true, do: func(ctx context.Context, run *task.Run, author change.Author, _ how) (int, string, bool, error) {
			return whole(s.installations.Erase(ctx, author, run.Installation))
		}},
	}
}

// ofUser returns the stages of a person. The user's own item is removed first: from
// then on no credential of the user is accepted.
func (s stores) ofUser() []stage {
	return []stage{
		{name: "user", do: func(ctx context.Context, run *task.Run, author change.Author, _ how) (int, string, bool, error) {
			return whole(s.users.Erase(ctx, run.Subject, author))
		}},
		{name: "API keys", do: func(ctx context.Context, run *task.Run, author change.Author, h how) (int, string, bool, error) {
			return remaining(s.keys.Erase(ctx, run.Subject, author, h.limit))
		}},
		{name: "tokens of hosts", do: func(ctx context.Context, run *task.Run, author change.Author, _ how) (int, string, bool, error) {
			return s.ofEachVCS(func(system vcs.VCS) (bool, error) {
				return grant.Erase(ctx, s.db, s.sessions, run.Subject, system, author)
			})
		}},
		// The name is stored in the notes of tasks, so it stays as it is.
		{name: "appointments", do: func(ctx context.Context, run *task.Run, _ change.Author, _ how) (int, string, bool, error) {
			return s.ofEachVCS(func(system vcs.VCS) (bool, error) { return s.renewals.Cancel(ctx, run.Subject, system) })
		}},
	}
}

func (stores) ofEachVCS(erase func(system vcs.VCS) (bool, error)) (erased int, next string, more bool, err error) {
	for _, system := range vcs.All() {
		there, err := erase(system)
		if err != nil {
			return erased, "", false, err
		}
		if there {
			erased++
		}
	}
	return erased, "", false, nil
}

func namespace(run *task.Run) vcs.Installation {
	return run.Installation
}

// whole returns the results of a stage that removes one thing.
func whole(there bool, err error) (int, string, bool, error) {
	if there {
		return 1, "", false, err
	}
	return 0, "", false, err
}

// remaining returns the results of a stage that always begins with the first thing
// that is left.
func remaining(erased int, more bool, err error) (int, string, bool, error) {
	return erased, "", more, err
}
