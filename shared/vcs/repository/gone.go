package repository

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/uuid"

	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/background/task"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// Removal is the input of the task that removes the pull requests of a repository:
// those that are known as of Version or an older one.
type Removal struct {
	Repository vcs.ID      `json:"repository"`
	Version    vcs.Version `json:"version"`
	// After is the cursor after which the task continues.
	After string `json:"after,omitempty"`
}

// RemovalTask returns the task that removes what belongs to a repository that is
// gone as of a version. If the same loss is stored more than once, the task has the
// same id each time. owner is the id of the user who asked for the removal. It is
// empty if a host stated the loss.
func RemovalTask(owner string, of vcs.Repository, version vcs.Version) task.Task {
	t := task.Task{ID: removalID(of, version), Kind: task.RemovePullRequests, Owner: owner, Installation: of.Installation}
	t.Name = task.Title(t.Kind, t.ID, of.Installation.ID)
	note, err := json.Marshal(Removal{Repository: of.ID, Version: version})
	if err != nil {
		panic(err) // cannot happen: it holds texts only
	}
	t.Note = string(note)
	return t
}

// removals is the UUID namespace of the ids of such tasks.
var removals = uuid.MustParse("0c3f7f5e-6a52-4b0b-9c5e-2f2a4d1b8e67")

func removalID(of vcs.Repository, version vcs.Version) string {
	return uuid.NewSHA1(removals, fmt.Appendf(nil, "%s#%s#%s#%s", of.Installation.VCS, of.Installation.ID, of.ID, version)).String()
}

// Gone stores that a repository no longer belongs to the installation, as of a
// version. writes create its RemovalTask, in the same transaction. A repository
// that exists as of a later version stays, but loses what it held before this
// version. If all facts about a repository said only that it is gone, Gone stores
// the loss and creates no task, because nothing belongs to the repository. A second
// call, or a call with an older version, changes nothing.
func (s Store) Gone(ctx context.Context, author change.Author, of vcs.Repository, version vcs.Version, writes []table.Write) error {
	_, err := s.gone(ctx, author, of, version, writes, taking{wanted: func(known) bool { return true }})
	return err
}

// Remove does what Gone does, but this server decides it, from what is known about
// the repository. It reports whether the repository is gone because of this call.
// It returns false if a newer fact is known; then it has changed nothing. Remove
// also deletes the description of the repository. For a loss that a host stated,
// the description must stay until all older facts have arrived.
func (s Store) Remove(ctx context.Context, author change.Author, of vcs.Repository, version vcs.Version, writes []table.Write) (bool, error) {
	return s.gone(ctx, author, of, version, writes, taking{
		wanted: func(before known) bool { return max(before.there, before.emptied) < version }, erase: true,
	})
}

func (s Store) gone(ctx context.Context, author change.Author, of vcs.Repository, version vcs.Version, writes []table.Write, how taking) (bool, error) {
	at, fact := key(of), known{emptied: version}
	removes := []string{"by_name"}
	if how.erase {
		removes = described
	}
	first := s.set(author, at, fact.attributes(of.ID), removes...)
	first.only("attribute_not_exists(listed)")
	first.only(first.older("emptied", version))
	first.only(first.older("seen", version))
	first.only("(attribute_exists(seen) OR attribute_exists(seen_name))")
	known := true // some fact says more than that it is gone
	how.write = func(ctx context.Context, u *types.Update) (attr.Item, error) {
		all := table.Writes([]types.TransactWriteItem{{Update: u}})
		if known {
			all = append(all, writes...)
		}
		err := table.Table{DB: s.DB}.TransactOnce(ctx, "", all...)
		if item, failed := table.ConditionFailedAt(err, 0); failed {
			known = item["seen"] != nil || item["seen_name"] != nil
			return item, errCondition
		}
		return nil, err
	}
	return s.take(ctx, author, at, of.ID, fact, first, how)
}

// NotEmptied returns the check of a transaction that writes a fact of a version
// about something within the repository. Items that were removed with the
// repository must not come back by an older fact, even if the repository is back.
// Hosts do not say when a repository was given back. So if something happened
// between the loss and the return, and its fact arrives after the loss, the fact is
// not stored.
func (s Store) NotEmptied(of vcs.Repository, version vcs.Version) types.TransactWriteItem {
	return types.TransactWriteItem{ConditionCheck: &types.ConditionCheck{
		TableName: &s.Table, Key: key(of),
		ConditionExpression:       aws.String("attribute_not_exists(emptied) OR emptied < :version"),
		ExpressionAttributeValues: attr.Item{":version": attr.String(string(version))},
	}}
}

// Known is a repository in the form that a refresh compares with the host's list.
type Known struct {
	ID vcs.ID
	// Version is the version of the newest fact that proves that the repository
	// exists. It is empty if no such fact had a time.
	Version vcs.Version
}

// Live returns the repositories of an installation that are not gone, in the order
// of their ids, at most limit of them. It begins after the id after, or with the
// first if after is empty. next is the id after which to continue; empty after the
// last one.
func (s Store) Live(ctx context.Context, in vcs.Installation, after vcs.ID, limit int) (list []Known, next vcs.ID, err error) {
	query := &dynamodb.QueryInput{
		TableName: &s.Table, ConsistentRead: aws.Bool(true), Limit: aws.Int32(int32(limit)),
		KeyConditionExpression:    aws.String("pk = :pk AND sk > :after"),
		ProjectionExpression:      aws.String("id, seen, gone"),
		ExpressionAttributeValues: attr.Item{":pk": partition(in)["pk"], ":after": attr.String("-")},
	}
	if after != "" {
		query.ExpressionAttributeValues[":after"] = attr.String(after.Sortable())
	}
	out, err := s.DB.Query(ctx, query)
	if err != nil {
		return nil, "", fmt.Errorf("list repositories: %w", err)
	}
	for _, item := range out.Items {
		r := attr.Read(item)
		known := Known{ID: vcs.ID(r.String("id")), Version: vcs.Version(r.String("seen"))}
		if err := r.Err(); err != nil {
			return nil, "", fmt.Errorf("decode repository: %w", err)
		}
		if next = known.ID; !r.Bool("gone") {
			list = append(list, known)
		}
	}
	if len(out.LastEvaluatedKey) == 0 {
		next = ""
	}
	return list, next, nil
}
