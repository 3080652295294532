package pullrequest

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/awsclient"
	"github.com/opsplane/opsplane/shared/vcs"
)

// Store keeps pull requests in VcsTable, one item each: pk
// PULLS#<vcs>#<installation>, sk the number and the repository's id.
type Store struct {
	// DB is the table's client.
	DB *dynamodb.Client
	// Table is the physical name of VcsTable.
	Table string
}

func partition(in vcs.Installation) attr.Item {
	return attr.Item{"pk": attr.String("PULLS#" + string(in.VCS) + "#" + string(in.ID))}
}

// Apply stores what a fact states about a pull request, unless a newer fact is
// known. So facts may arrive in any order and more than once. User, time and commit
// of the merge stay if a fact does not state them; no two facts state different
// values of these. notEmptied is a check in the same transaction
// (repository.Store.NotEmptied): it checks the pull request's repository, as of the
// version. If it fails, nothing is changed.
func (s Store) Apply(ctx context.Context, author change.Author, in vcs.Installation, p PullRequest, version vcs.Version, notEmptied types.TransactWriteItem) error {
	at := partition(in)
	at["sk"] = attr.String(p.Cursor())
	values, names := attr.Item{":version": attr.String(string(version))}, map[string]string{}
	set := "SET seen = :version, " + author.Set(values)
	for name, value := range p.attributes() {
		names["#"+name], values[":"+name] = name, value
		set += ", #" + name + " = :" + name
	}
	writes := []types.TransactWriteItem{
		{Update: &types.Update{
			TableName: &s.Table, Key: at, UpdateExpression: &set,
			ConditionExpression:      aws.String("attribute_not_exists(seen) OR seen < :version"),
			ExpressionAttributeNames: names, ExpressionAttributeValues: values,
		}},
		notEmptied,
	}
	switch err := awsclient.Transact(ctx, s.DB, writes); {
	case awsclient.ConditionFailed(err, 1):
		return nil
	case awsclient.ConditionFailed(err, 0):
		return s.complete(ctx, author, at, p)
	case err != nil:
		return fmt.Errorf("write pull request: %w", err)
	}
	return nil
}

// complete adds the attributes that only an older fact states, to a pull request
// that still exists.
func (s Store) complete(ctx context.Context, author change.Author, at attr.Item, p PullRequest) error {
	for name, value := range p.rare() {
		values := attr.Item{":value": value}
		_, err := s.DB.UpdateItem(ctx, &dynamodb.UpdateItemInput{
			TableName: &s.Table, Key: at, UpdateExpression: aws.String("SET #name = :value, " + author.Set(values)),
			ConditionExpression:      aws.String("attribute_exists(seen) AND attribute_not_exists(#name)"),
			ExpressionAttributeNames: map[string]string{"#name": name}, ExpressionAttributeValues: values,
		})
		var known *types.ConditionalCheckFailedException
		if err != nil && !errors.As(err, &known) {
			return fmt.Errorf("write pull request: %w", err)
		}
	}
	return nil
}

// rare returns the attributes that not every fact states, if this fact states them.
func (p PullRequest) rare() attr.Item {
	item := attr.Item{}
	if !p.MergedAt.IsZero() {
		item["merged_at"] = attr.Time(p.MergedAt)
	}
	if p.User != "" {
		item["user"] = attr.String(p.User)
	}
	if p.MergedSHA != "" {
		item["merged_sha"] = attr.String(p.MergedSHA)
	}
	return item
}

// attributes returns the attributes of the item, without its key.
func (p PullRequest) attributes() attr.Item {
	item := p.rare()
	item["number"], item["draft"] = attr.Int(p.Number), attr.Bool(p.Draft)
	for name, value := range map[string]string{
		"repository": string(p.Repository), "title": p.Title, "state": string(p.State),
		"base_branch": p.BaseBranch, "base_sha": p.BaseSHA, "branch": p.Branch, "sha": p.SHA,
		"by_repository": p.Repository.Sortable() + "#" + fmt.Sprintf("%0*d", numberDigits, p.Number),
	} {
		item[name] = attr.String(value)
	}
	return item
}

func decode(item attr.Item) (PullRequest, error) {
	r := attr.Read(item)
	p := PullRequest{
		Repository: vcs.ID(r.String("repository")), Number: r.Int("number"), Draft: r.Bool("draft"),
		Title: r.String("title"), User: r.String("user"), State: State(r.String("state")),
		BaseBranch: r.String("base_branch"), BaseSHA: r.String("base_sha"), Branch: r.String("branch"), SHA: r.String("sha"),
		MergedSHA: r.String("merged_sha"), MergedAt: r.Time("merged_at"),
	}
	if err := r.Err(); err != nil {
		return PullRequest{}, fmt.Errorf("decode pull request %d of repository %s: %w", p.Number, p.Repository, err)
	}
	return p, nil
}
