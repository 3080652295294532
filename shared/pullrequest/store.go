package pullrequest

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/opsplane/opsplane/shared/attr"
	"github.com/opsplane/opsplane/shared/change"
)

// Store keeps pull requests in VcsTable, one item each: pk
// PULLS#<vcs>#<installation>, sk the number and the repository's id.
type Store struct {
	// DB is the table's client.
	DB *dynamodb.Client
	// Table is the physical name of VcsTable.
	Table string
}

func partition(vcs, installation string) attr.Item {
	return attr.Item{"pk": attr.String("PULLS#" + vcs + "#" + installation)}
}

// Apply takes in all that a fact of a version tells of a pull request, unless a
// newer one is known, so that facts may come in any order and again. Versions
// are compared as texts.
func (s Store) Apply(ctx context.Context, author change.Author, vcs, installation string, p PullRequest, version string) error {
	values := attr.Item{":version": attr.String(version)}
	names := map[string]string{}
	set, remove := []string{"seen = :version", author.Set(values)}, []string{}
	for name, value := range p.attributes() {
		names["#"+name] = name
		if value == nil {
			remove = append(remove, "#"+name)
			continue
		}
		values[":"+name] = value
		set = append(set, "#"+name+" = :"+name)
	}
	expression := "SET " + strings.Join(set, ", ")
	if len(remove) > 0 {
		expression += " REMOVE " + strings.Join(remove, ", ")
	}
	at := partition(vcs, installation)
	at["sk"] = attr.String(p.Cursor())
	_, err := s.DB.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &s.Table, Key: at, UpdateExpression: &expression,
		ConditionExpression:      aws.String("attribute_not_exists(seen) OR seen < :version"),
		ExpressionAttributeNames: names, ExpressionAttributeValues: values,
	})
	var known *types.ConditionalCheckFailedException
	if err != nil && !errors.As(err, &known) {
		return fmt.Errorf("write pull request: %w", err)
	}
	return nil
}

// attributes are those of the item beside its key; nil where it has none.
func (p PullRequest) attributes() attr.Item {
	item := attr.Item{
		"repository": attr.String(p.Repository), "number": attr.Int(p.Number), "draft": attr.Bool(p.Draft),
		"by_repository": attr.String(padded(p.Repository) + "#" + fmt.Sprintf("%0*d", numberDigits, p.Number)),
		"merged_at":     nil,
	}
	if !p.MergedAt.IsZero() {
		item["merged_at"] = attr.Time(p.MergedAt)
	}
	for name, value := range map[string]string{
		"owner": p.Owner, "name": p.Name, "title": p.Title, "user": p.User, "state": string(p.State),
		"base_branch": p.BaseBranch, "base_sha": p.BaseSHA, "branch": p.Branch, "sha": p.SHA, "merged_sha": p.MergedSHA,
	} {
		item[name] = nil
		if value != "" {
			item[name] = attr.String(value)
		}
	}
	return item
}

func decode(item attr.Item) (PullRequest, error) {
	r := attr.Read(item)
	p := PullRequest{
		Repository: r.String("repository"), Number: r.Int("number"), Draft: r.Bool("draft"), Owner: r.String("owner"),
		Name: r.String("name"), Title: r.String("title"), User: r.String("user"), State: State(r.String("state")),
		BaseBranch: r.String("base_branch"), BaseSHA: r.String("base_sha"), Branch: r.String("branch"), SHA: r.String("sha"),
		MergedSHA: r.String("merged_sha"), MergedAt: r.Time("merged_at"),
	}
	if err := r.Err(); err != nil {
		return PullRequest{}, fmt.Errorf("decode pull request %d of repository %s: %w", p.Number, p.Repository, err)
	}
	return p, nil
}
