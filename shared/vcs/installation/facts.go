package installation

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/awsclient"
	"github.com/opsplane/opsplane/shared/vcs"
)

// Apply stores what a host stated about an installation. It stores two parts: the
// name, and the state with the target type. Each part has the version of the fact
// and is stored unless a newer one is known. So facts may arrive in any order and
// more than once. The name may be empty if the host did not state it. Then an
// installation that was not known gets its id as its name, until a fact states the
// name.
func (s Store) Apply(ctx context.Context, author change.Author, i Installation, version vcs.Version) error {
	if i.Name == "" {
		i.Name = string(i.ID)
		_, err := s.take(ctx, author, i, func(u *fact) { u.called(i) }, func(u *fact) { u.state(i, version) })
		return err
	}
	named, state := func(u *fact) { u.named(i, version) }, func(u *fact) { u.state(i, version) }
	newest, err := s.take(ctx, author, i, named, state)
	if newest || err != nil {
		return err
	}
	// A newer fact of one part is known, or of both: write each part on its own.
	for _, part := range []func(*fact){named, state} {
		if _, err := s.take(ctx, author, i, part); err != nil {
			return err
		}
	}
	return nil
}

// Rename stores the name of an installation as of a version, unless a newer name is
// known. An installation that was not known gets the state Installed.
func (s Store) Rename(ctx context.Context, author change.Author, i Installation, version vcs.Version) error {
	_, err := s.take(ctx, author, i, func(u *fact) { u.named(i, version) }, func(u *fact) {
		u.sets = append(u.sets, "#state = if_not_exists(#state, :installed)")
		u.names["#state"], u.values[":installed"] = "state", attr.String(string(Installed))
	})
	return err
}

// fact is the write of what a host stated about an installation.
type fact struct {
	sets, conditions []string
	names            map[string]string
	values           attr.Item
}

func (u *fact) named(i Installation, version vcs.Version) {
	u.sets = append(u.sets, "#name = :name", "seen_name = :version")
	u.names["#name"], u.values[":name"], u.values[":version"] = "name", attr.String(i.Name), attr.String(string(version))
	u.conditions = append(u.conditions, "(attribute_not_exists(seen_name) OR seen_name < :version)")
}

// called sets a name if the installation has none. Any fact replaces that name.
func (u *fact) called(i Installation) {
	u.sets = append(u.sets, "#name = if_not_exists(#name, :name)")
	u.names["#name"], u.values[":name"] = "name", attr.String(i.Name)
}

func (u *fact) state(i Installation, version vcs.Version) {
	u.sets = append(u.sets, "#state = :state", "seen = :version")
	u.names["#state"] = "state"
	u.values[":state"], u.values[":version"] = attr.String(string(i.State)), attr.String(string(version))
	if i.TargetType != "" { // it never changes to another one
		u.sets, u.values[":target"] = append(u.sets, "target_type = :target"), attr.String(i.TargetType)
	}
	u.conditions = append(u.conditions, "(attribute_not_exists(seen) OR seen < :version)")
}

// take writes parts of a fact in one write. It writes nothing if one of the parts
// is known as of that version or a newer one. It reports whether it wrote.
func (s Store) take(ctx context.Context, author change.Author, i Installation, parts ...func(*fact)) (bool, error) {
	if err := i.valid(); err != nil {
		return false, err
	}
	u := fact{names: map[string]string{}, values: attr.Item{":now": attr.Time(author.At)}}
	u.sets = []string{"created_at = if_not_exists(created_at, :now)", author.Set(u.values)}
	for _, part := range parts {
		part(&u)
	}
	return s.write(ctx, &dynamodb.UpdateItemInput{
		TableName: &s.Table, Key: key(i.Key()),
		UpdateExpression:         aws.String("SET " + strings.Join(u.sets, ", ")),
		ConditionExpression:      aws.String(strings.Join(u.conditions, " AND ")),
		ExpressionAttributeNames: u.names, ExpressionAttributeValues: u.values,
	})
}

// Ensure stores an installation that a host only mentioned. It changes nothing if
// the installation is known.
func (s Store) Ensure(ctx context.Context, author change.Author, i Installation) error {
	if err := i.valid(); err != nil {
		return err
	}
	values := attr.Item{":name": attr.String(i.Name), ":installed": attr.String(string(Installed)), ":now": attr.Time(author.At)}
	_, err := s.write(ctx, &dynamodb.UpdateItemInput{
		TableName: &s.Table, Key: key(i.Key()),
		UpdateExpression:          aws.String("SET #name = :name, #state = :installed, created_at = :now, " + author.Set(values)),
		ConditionExpression:       aws.String("attribute_not_exists(pk)"),
		ExpressionAttributeNames:  map[string]string{"#name": "name", "#state": "state"},
		ExpressionAttributeValues: values,
	})
	return err
}

// Delivered records that the installation's webhook has delivered something. An
// installation that is known and has no state gets the state Installed.
func (s Store) Delivered(ctx context.Context, author change.Author, i vcs.Installation) error {
	if err := Check(i); err != nil {
		return err
	}
	values := attr.Item{":installed": attr.String(string(Installed))}
	_, err := s.write(ctx, &dynamodb.UpdateItemInput{
		TableName: &s.Table, Key: key(i),
		UpdateExpression:          aws.String("SET #state = :installed, " + author.Set(values)),
		ConditionExpression:       aws.String("attribute_exists(pk) AND attribute_not_exists(#state)"),
		ExpressionAttributeNames:  map[string]string{"#state": "state"},
		ExpressionAttributeValues: values,
	})
	return err
}

// write makes a write. If its condition fails, there is nothing to do. It reports
// whether the write was made.
func (s Store) write(ctx context.Context, in *dynamodb.UpdateItemInput) (bool, error) {
	_, err := s.DB.UpdateItem(ctx, in)
	var failed *types.ConditionalCheckFailedException
	if errors.As(err, &failed) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("write installation: %w", err)
	}
	return true, nil
}

// Known returns the installations with the ids at a VCS, in the order of ids. It
// leaves out those that are not known.
func (s Store) Known(ctx context.Context, system vcs.VCS, ids []vcs.ID) ([]Installation, error) {
	found := map[vcs.ID]Installation{}
	for start := 0; start < len(ids); start += awsclient.MaxBatch {
		if err := s.readSome(ctx, system, ids[start:min(start+awsclient.MaxBatch, len(ids))], found); err != nil {
			return nil, err
		}
	}
	list := make([]Installation, 0, len(found))
	for _, id := range ids {
		if i, ok := found[id]; ok {
			list = append(list, i)
		}
	}
	return list, nil
}

func (s Store) readSome(ctx context.Context, system vcs.VCS, ids []vcs.ID, found map[vcs.ID]Installation) error {
	keys := map[string]vcs.Installation{}
	asked := types.KeysAndAttributes{ConsistentRead: aws.Bool(true)}
	for _, id := range ids {
		i := vcs.Installation{VCS: system, ID: id}
		k := key(i)
		keys[attr.Read(k).String("pk")] = i
		asked.Keys = append(asked.Keys, k)
	}
	items, err := awsclient.BatchGet(ctx, s.DB, s.Table, asked)
	if err != nil {
		return fmt.Errorf("read installations: %w", err)
	}
	for _, item := range items {
		i := keys[attr.Read(item).String("pk")]
		if found[i.ID], err = decode(i, item); err != nil {
			return err
		}
	}
	return nil
}
