package repository

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/awsclient"
	"github.com/opsplane/opsplane/shared/vcs"
)

// attempts is the maximum number of writes of one fact, when others write the same
// item at the same time.
const attempts = 6

var (
	// errCondition says that the condition of a write did not hold.
	errCondition = errors.New("the condition does not hold")
	errContended = errors.New("others write it at the same time, again and again")
)

// taking says how a fact is stored.
type taking struct {
	// wanted reports whether the fact is to be joined with what was known before.
	wanted func(before known) bool
	// write makes an update. If its condition does not hold, it returns
	// errCondition and the item.
	write func(context.Context, *types.Update) (attr.Item, error)
	// erase says that the description is deleted.
	erase bool
}

// take stores a fact about a repository. It tries the first update without reading
// the item: that succeeds if all of the fact is newer than what is known. If its
// condition does not hold, take joins the fact with the item. It reports whether
// anything was changed.
func (s Store) take(ctx context.Context, author change.Author, at attr.Item, id vcs.ID, fact known, first *update, how taking) (bool, error) {
	err := errContended
	for n, u := 0, first; n < attempts; n++ {
		if err := awsclient.Pause(ctx, max(0, n-1)); err != nil {
			return false, err
		}
		var old attr.Item
		old, err = how.write(ctx, u.expression())
		switch {
		case err == nil:
			return true, nil
		case awsclient.Overtaken(err):
			continue
		case !errors.Is(err, errCondition):
			return false, fmt.Errorf("write repository: %w", err)
		}
		r := attr.Read(old)
		before := knownOf(r)
		if err := r.Err(); err != nil {
			return false, fmt.Errorf("decode repository %s: %w", id, err)
		}
		after := before.join(fact)
		if how.erase {
			after = after.erased()
		}
		if after == before || !how.wanted(before) {
			return false, nil
		}
		u, err = s.replace(author, at, id, old, after), errContended
	}
	return false, fmt.Errorf("write repository: %w", err)
}

// update is a write of a repository's item.
type update struct {
	types.Update
	sets, removes, conditions []string
}

// set returns the write that sets attributes and removes others.
func (s Store) set(author change.Author, at, item attr.Item, removes ...string) *update {
	u := &update{Update: types.Update{
		TableName: &s.Table, Key: at, ExpressionAttributeNames: map[string]string{},
		ExpressionAttributeValues:           attr.Item{":now": attr.Time(author.At), ":one": attr.Int(1)},
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}}
	u.sets = []string{"created_at = if_not_exists(created_at, :now)", author.Set(u.ExpressionAttributeValues)}
	if _, gone := item["gone"]; gone {
		item["ttl"] = attr.Time(author.At.Add(Keep))
	}
	for _, name := range slices.Sorted(maps.Keys(item)) {
		u.ExpressionAttributeNames["#"+name], u.ExpressionAttributeValues[":"+name] = name, item[name]
		u.sets = append(u.sets, "#"+name+" = :"+name)
	}
	for _, name := range removes {
		u.ExpressionAttributeNames["#"+name] = name
		u.removes = append(u.removes, "#"+name)
	}
	return u
}

// replace returns the write of all that is known. Its condition is that the item is
// still the old one.
func (s Store) replace(author change.Author, at attr.Item, id vcs.ID, old attr.Item, after known) *update {
	item := after.attributes(id)
	var removes []string
	for _, name := range slices.Sorted(maps.Keys(old)) {
		if own := item[name] != nil || at[name] != nil || name == "rev" || name == "created_at" || strings.HasPrefix(name, "ch_"); !own {
			removes = append(removes, name)
		}
	}
	if item["gone"] != nil {
		removes = slices.DeleteFunc(removes, func(name string) bool { return name == "ttl" })
	}
	u := s.set(author, at, item, removes...)
	if rev, ok := old["rev"]; ok {
		u.ExpressionAttributeValues[":rev"] = rev
		u.only("rev = :rev")
	} else {
		u.only("attribute_not_exists(rev)")
	}
	return u
}

// only adds a condition.
func (u *update) only(condition string) { u.conditions = append(u.conditions, condition) }

// older adds the condition that an attribute is absent or smaller than a version.
func (u *update) older(name string, version vcs.Version) string {
	value := ":below_" + name
	u.ExpressionAttributeValues[value] = attr.String(string(version))
	return "(attribute_not_exists(" + name + ") OR " + name + " < " + value + ")"
}

// expression returns the update in DynamoDB's form. Each update increments the
// item's revision.
func (u *update) expression() *types.Update {
	e := u.Update
	text := "SET " + strings.Join(u.sets, ", ")
	if len(u.removes) > 0 {
		text += " REMOVE " + strings.Join(u.removes, ", ")
	}
	text += " ADD rev :one"
	e.UpdateExpression, e.ConditionExpression = &text, aws.String(strings.Join(u.conditions, " AND "))
	return &e
}
