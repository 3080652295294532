package pullrequest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"pgregory.net/rapid"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

var (
	born   = time.Unix(4_000_000_000, 0).UTC()
	author = change.Author{Principal: "test", Request: "1", At: born}
)

func open(t *testing.T) (*storagetest.Env, Store) {
	env := storagetest.New(t)
	return env, Store{DB: env.DynamoDB, Table: env.Table("VcsTable")}
}

// check returns the check of a repository that was emptied as of a version. If the
// version is empty, it was never emptied.
func (s Store) check(t testing.TB, repository, emptied, version string) table.Write {
	key := attr.Item{"pk": attr.String("REPOSITORIES"), "sk": attr.String(repository + "#" + emptied)}
	if emptied != "" {
		item := attr.Item{"pk": key["pk"], "sk": key["sk"], "emptied": attr.String(emptied)}
		if _, err := s.DB.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &s.Table, Item: item}); err != nil {
			t.Fatal(err)
		}
	}
	return s.table().WriteCheck(key, table.AbsentOr("emptied", table.Less("emptied", attr.String(version))))
}

// fact is what a delivery states about a pull request.
type fact struct {
	PullRequest
	version string
}

// host is one pull request at a host with a clock.
type host struct {
	random *rand.Rand
	now    time.Time
	pull   PullRequest
	told   []fact
	known  time.Time // when the last delivery arrived
}

// live lets some time pass and something happen. Deliveries arrive late and in any
// order, except those of one second. Only their arrival shows which of two such
// deliveries is newer, unless one of them is the merge.
func (h *host) live() {
	h.now = h.now.Add(time.Duration(1+h.random.IntN(900)) * time.Millisecond)
	second := h.now.Truncate(time.Second)
	p := &h.pull
	final := p.State == Merged
	rank := 0
	switch what := h.random.IntN(8); {
	case final && what > 0: // a merged pull request seldom changes
		return
	case what < 3:
		p.Title = fmt.Sprint("title ", len(h.told))
	case what == 3:
		p.SHA = fmt.Sprint("sha ", len(h.told))
	case what == 4:
		p.Draft = !p.Draft
	case what == 5 && p.State == Open:
		p.State = Closed
	case what == 5:
		p.State = Open
	case what == 6 && p.State == Open:
		p.State, p.MergedAt, p.MergedSHA = Merged, second, "merged"
	}
	if p.State == Merged {
		rank = 2
	}
	arrived := h.now.Add(time.Duration(h.random.IntN(600_000)) * time.Millisecond)
	if n := len(h.told); n > 0 && h.told[n-1].version[:13] == fmt.Sprintf("%013d", second.UnixMilli()) && (rank == 0 || final) {
		arrived = h.known.Add(time.Millisecond)
	}
	h.known = arrived
	// The order of the ids differs from the order of the facts.
	id := fmt.Sprintf("%08x", h.random.Uint32())
	h.told = append(h.told, fact{*p, fmt.Sprintf("%013d.%02d.%013d.%s", second.UnixMilli(), rank, arrived.UnixMilli(), id)})
}

// TestAnyOrderEndsWithTheTruth stores the facts of a simulated host in any order,
// and some of them again.
func TestAnyOrderEndsWithTheTruth(t *testing.T) {
	t.Parallel()
	_, s := open(t)
	number := int64(0)
	rapid.Check(t, func(rt *rapid.T) {
		number++
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 1))
		h := host{random: random, now: born, pull: PullRequest{
			Repository: "7", Number: number, User: "ann", State: Open, BaseBranch: "main", Branch: "topic", Title: "first", SHA: "sha",
		}}
		for range 1 + random.IntN(8) {
			h.live()
		}
		if len(h.told) == 0 {
			return
		}
		// As on GitLab, only the first fact states the author, and only the merge
		// states its commit and time.
		merged := false
		for i := range h.told {
			if i > 0 {
				h.told[i].User = ""
			}
			if merged {
				h.told[i].MergedAt, h.told[i].MergedSHA = time.Time{}, ""
			}
			merged = merged || h.told[i].State == Merged
		}
		again := rapid.SliceOfN(rapid.SampledFrom(h.told), 0, 2).Draw(rt, "again")
		for _, f := range rapid.Permutation(slices.Concat(h.told, again)).Draw(rt, "order") {
			if _, err := s.Apply(t.Context(), author, vcs.Installation{VCS: "github", ID: "42"}, f.PullRequest, vcs.Version(f.version), s.check(t, "7", "", f.version)); err != nil {
				rt.Fatal(err)
			}
		}
		list, err := s.List(t.Context(), vcs.Installation{VCS: "github", ID: "42"}, Query{Number: number, Limit: 2})
		if err != nil || len(list) != 1 || list[0] != h.pull {
			rt.Fatalf("kept\n%+v, %v; at the host\n%+v\ntold %+v", list, err, h.pull, h.told)
		}
	})
}

// TestWhatWasEmptiedDoesNotComeBack stores the removal before, between and after
// the facts.
func TestWhatWasEmptiedDoesNotComeBack(t *testing.T) {
	t.Parallel()
	_, s := open(t)
	const emptied = "5"
	for round, order := range [][]string{{"4", "6", "-"}, {"6", "4", "-"}, {"-", "4", "6"}, {"4", "-", "6"}, {"6", "-", "4"}, {"-", "6", "4"}} {
		repository, gone := fmt.Sprint(round+1), ""
		for _, version := range order {
			if version == "-" {
				gone = emptied
				if _, _, err := s.Remove(t.Context(), vcs.Installation{VCS: "github", ID: "42"}.Repository(vcs.ID(repository)), emptied, "", 100); err != nil {
					t.Fatal(err)
				}
				continue
			}
			p := PullRequest{Repository: vcs.ID(repository), Number: 1, State: Open, Title: version}
			if _, err := s.Apply(t.Context(), author, vcs.Installation{VCS: "github", ID: "42"}, p, vcs.Version(version), s.check(t, repository, gone, version)); err != nil {
				t.Fatal(err)
			}
			p.Number, p.Title = 2, "older"
			if version == "4" {
				if _, err := s.Apply(t.Context(), author, vcs.Installation{VCS: "github", ID: "42"}, p, vcs.Version(version), s.check(t, repository, gone, version)); err != nil {
					t.Fatal(err)
				}
			}
		}
		list, err := s.List(t.Context(), vcs.Installation{VCS: "github", ID: "42"}, Query{Limit: 100})
		list = slices.DeleteFunc(list, func(p PullRequest) bool { return string(p.Repository) != repository })
		if err != nil || len(list) != 1 || list[0].Title != "6" {
			t.Errorf("order %v: %+v, %v", order, list, err)
		}
	}
}

func TestFactThatIsInterruptedIsKeptOnce(t *testing.T) {
	t.Parallel()
	env, s := open(t)
	for i, kind := range []storagetest.Kind{
		storagetest.LoseAnswer, storagetest.LoseRequest, storagetest.Conflict, storagetest.Throttle, storagetest.ServerError, storagetest.Duplicate,
	} {
		var f storagetest.Faults
		f.Add(storagetest.Fault{Nth: 1, Kind: kind})
		p := PullRequest{Repository: "9", Number: int64(i + 1), State: Open, Title: "new"}
		faulty := Store{DB: env.WithFaults(&f).DynamoDB, Table: s.Table}
		if newest, err := faulty.Apply(t.Context(), author, vcs.Installation{VCS: "github", ID: "42"}, p, "2", s.check(t, "9", "", "2")); err != nil || !newest {
			t.Errorf("fault %d: newest %t, %v", kind, newest, err)
		}
		got, err := s.List(t.Context(), vcs.Installation{VCS: "github", ID: "42"}, Query{Number: p.Number, Limit: 2})
		if err != nil || len(got) != 1 || got[0].Title != "new" {
			t.Errorf("fault %d: %+v, %v", kind, got, err)
		}
	}
}
