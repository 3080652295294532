package pullrequest

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
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

// Attributes of an item. Times are Unix seconds.
const (
	attrRepository   = "repository"
	attrNumber       = "number"
	attrTitle        = "title"
	attrUser         = "user"
	attrState        = "state"
	attrBaseBranch   = "base_branch"
	attrBaseSHA      = "base_sha"
	attrBranch       = "branch"
	attrSHA          = "sha"
	attrMergedSHA    = "merged_sha"
	attrMergedAt     = "merged_at"
	attrDraft        = "draft"
	attrSeen         = "seen"          // the version of the newest fact
	attrByRepository = "by_repository" // the sort key of the index with the same name
)

// indexByRepository is the index that lists the pull requests of one repository. It
// holds only keys.
const indexByRepository = attrByRepository

// prefix begins the partition key of the pull requests of an installation.
const prefix = "PULLS#"

func partition(in vcs.Installation) table.Value {
	return attr.String(prefix + string(in.VCS) + "#" + string(in.ID))
}

// of returns the condition of a query for the pull requests of an installation.
func of(in vcs.Installation) table.Condition { return table.Equal("pk", partition(in)) }

func (s Store) table() table.Table { return table.Table{DB: s.DB, Name: s.Table} }

// Apply stores what a fact states about a pull request, unless a newer fact is
// known. So facts may arrive in any order and more than once. User, time and commit
// of the merge stay if a fact does not state them; no two facts state different
// values of these. notEmptied is a check in the same transaction
// (repository.Store.NotEmptied): it checks the pull request's repository, as of the
// version. If it fails, nothing is changed. more are further writes of the transaction,
// which are made if the fact is the newest. Apply reports whether they are made, by this
// call or by an earlier one with the same version.
func (s Store) Apply(
	ctx context.Context, author change.Author, in vcs.Installation, p PullRequest, version vcs.Version, notEmptied table.Write, more ...table.Write,
) (newest bool, err error) {
	at, seen := attr.Item{"pk": partition(in), "sk": attr.String(p.Cursor())}, attr.String(string(version))
	err = s.table().Transact(ctx, append([]table.Write{
		s.table().WriteUpdate(table.Change(at).Set(attrSeen, seen).SetAll(p.attributes()).SetAll(author.All()).
			If(table.AbsentOr(attrSeen, table.Less(attrSeen, seen))).KeepOld()),
		notEmptied,
	}, more...)...)
	if _, emptied := table.ConditionFailedAt(err, 1); emptied {
		return false, nil
	}
	if known, failed := table.ConditionFailedAt(err, 0); failed {
		if attr.Read(known).String(attrSeen) == string(version) {
			return true, nil
		}
		return false, s.complete(ctx, author, at, p)
	}
	if err != nil {
		return false, fmt.Errorf("write pull request: %w", err)
	}
	return true, nil
}

// complete adds the attributes that only an older fact states, to a pull request
// that still exists.
func (s Store) complete(ctx context.Context, author change.Author, at attr.Item, p PullRequest) error {
	rare := p.rare()
	for _, name := range slices.Sorted(maps.Keys(rare)) {
		err := s.table().Update(ctx, table.Change(at).Set(name, rare[name]).SetAll(author.All()).
			If(table.Exists(attrSeen), table.Absent(name)))
		if _, known := table.ConditionFailed(err); err != nil && !known {
			return fmt.Errorf("write pull request: %w", err)
		}
	}
	return nil
}

// rare returns the attributes that not every fact states, if this fact states them.
func (p PullRequest) rare() attr.Item {
	item := attr.Item{}
	if !p.MergedAt.IsZero() {
		item[attrMergedAt] = attr.Time(p.MergedAt)
	}
	if p.User != "" {
		item[attrUser] = attr.String(p.User)
	}
	if p.MergedSHA != "" {
		item[attrMergedSHA] = attr.String(p.MergedSHA)
	}
	return item
}

// attributes returns the attributes of the item, without its key.
func (p PullRequest) attributes() attr.Item {
	item := p.rare()
	item[attrNumber], item[attrDraft] = attr.Int(p.Number), attr.Bool(p.Draft)
	for name, value := range map[string]string{
		attrRepository: string(p.Repository), attrTitle: p.Title, attrState: string(p.State),
		attrBaseBranch: p.BaseBranch, attrBaseSHA: p.BaseSHA, attrBranch: p.Branch, attrSHA: p.SHA,
		attrByRepository: p.Repository.Sortable() + "#" + fmt.Sprintf("%0*d", numberDigits, p.Number),
	} {
		item[name] = attr.String(value)
	}
	return item
}

func decode(item attr.Item) (PullRequest, error) {
	r := attr.Read(item)
	p := PullRequest{
		Repository: vcs.ID(r.String(attrRepository)), Number: r.Int(attrNumber), Draft: r.Bool(attrDraft),
		Title: r.String(attrTitle), User: r.String(attrUser), State: State(r.String(attrState)),
		BaseBranch: r.String(attrBaseBranch), BaseSHA: r.String(attrBaseSHA), Branch: r.String(attrBranch), SHA: r.String(attrSHA),
		MergedSHA: r.String(attrMergedSHA), MergedAt: r.Time(attrMergedAt),
	}
	if err := r.Err(); err != nil {
		return PullRequest{}, fmt.Errorf("decode pull request %d of repository %s: %w", p.Number, p.Repository, err)
	}
	return p, nil
}
