package runquery_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/opsplane/opsplane/shared/run/runquery"
	"github.com/opsplane/opsplane/shared/tagquery"
)

// row is a row by its texts; numbers, times and flags are texts too.
type row map[string][]string

func (r row) Texts(key string) []string { return r[key] }

func (r row) Number(key string) (n int64, ok bool) {
	if len(r[key]) == 0 {
		return 0, false
	}
	_, err := fmt.Sscan(r[key][0], &n)
	return n, err == nil
}

func (r row) Time(key string) (time.Time, bool) {
	if len(r[key]) == 0 {
		return time.Time{}, false
	}
	at, err := time.Parse(time.RFC3339, r[key][0])
	return at, err == nil
}

func (r row) Flag(key string) (value, ok bool) {
	return len(r[key]) > 0 && r[key][0] == "true", len(r[key]) > 0
}

var now = time.Date(2025, 6, 1, 12, 0, 0, 500, time.UTC)

const id = "8f0c2c3e-2f35-4b5e-9d6e-1f6f3f6b7a10"

var plan = row{
	"id": {id}, "repo": {"infra"}, "branch": {"feature/x"}, "pr": {"17"}, "user": {"alice"}, "type": {"unsafe-apply", "apply"}, "kind": {"pr"},
	"state": {"completed"}, "dir": {"prod/net", "dev"}, "workspace": {"default"}, "created_at": {"2025-06-01T10:20:30Z"},
	"has_changes": {"true"}, "destroys": {"false"}, "duration": {"90"},
}

func TestQueriesOfRunsMatchAsTheContractSays(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"": true, "repo:infra": true, "repo:Infra": false, "repo:inf": false, "repo:inf*": true, "repo:*": true, "user:bob": false,
		"not user:bob": true, "pr:17": true, "pr:017": true, "pr:18": false, "type:apply": true, "type:unsafe-apply": true, "type:plan": false,
		"dir:dev workspace:default": true, "dir:prod/*": true, "dir:prod": false, "not dir:x": true, "state:aborted": false,
		"environment:prod": false, "not environment:prod": false, "environment:": true, "not environment:": false, "branch:": false,
		"environment:prod or repo:infra": true, "not (environment:prod and repo:x)": true, "not (environment:prod and repo:infra)": false,
		"id:" + id: true, "id:" + strings.ToUpper(id): true, "sort:asc": true, "not sort:desc": false,
		"has_changes": true, "destroys": false, "not destroys": true, "duration:1m..": true, "duration:..90s": false, "duration:90s..91s": true,
		"created_at:2025-06-01": true, "created_at:2025-06-02": false, `"created_at:2025-06-01 10:20"`: true, `"created_at:2025-06-01 10:21"`: false,
		"created_at:2025-06-01..": true, "created_at:..2025-06-01": false, "created_at:2025-05-01..2025-06-01": false, "created_at:": false,
		`"created_at:..2025-06-01 10:21:59"`: true, "created_at:2025": false, "created_at:2025..": true, `"created_at:2025-6-1 10"`: false,
	} {
		q, err := runquery.Runs.Compile(text, "", now)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := q.Match(plan); got != want {
			t.Errorf("%s: matches %t", text, got)
		}
	}
}

func TestDatesAreWallClockTimeInTheZone(t *testing.T) {
	t.Parallel()
	at := row{"created_at": {"2025-03-30T01:30:00Z"}} // 03:30 in Berlin, where the clock went from 2 to 3 at 01:00 UTC
	for text, want := range map[string]bool{
		`"created_at:2025-03-30 03:30"`: true, `"created_at:2025-03-30 01:30"`: false, "created_at:2025-03-30": true, "created_at:2025-03-31..": false,
	} {
		q, err := runquery.Runs.Compile(text, "Europe/Berlin", now)
		if err != nil || q.Match(at) != want {
			t.Errorf("%s: matches %t, %v", text, !want, err)
		}
	}
}

func TestQueriesThatMeanNothingAreRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		list           runquery.List
		text, id, data string
	}{
		{runquery.Runs, "colour:red", "UNKNOWN_TAG", "colour"},
		{runquery.Runs, "red", "UNKNOWN_TAG", "red"},
		{runquery.Runs, "Repo:x", "UNKNOWN_TAG", "Repo"},
		{runquery.Runs, "repo", "UNKNOWN_TAG", "repo"},
		{runquery.Runs, "sort:up", "UNKNOWN_TAG", "sort"},
		{runquery.Runs, "destroys:yes", "UNKNOWN_TAG", "destroys"},
		{runquery.Outputs, "ignore_errors:x", "UNKNOWN_TAG", "ignore_errors"},
		{runquery.Outputs, "repo:x", "UNKNOWN_TAG", "repo"},
		{runquery.Runs, "x in dir", "IN_DIR_NOT_SUPPORTED", ""},
		{runquery.Runs, "pr:abc", "INVALID_NUMBER", "abc"},
		{runquery.Runs, "id:7", "INVALID_ID", "7"},
		{runquery.Runs, "id:{" + id + "}", "INVALID_ID", "{" + id + "}"},
		{runquery.Dirspaces, "state:completed", "Invalid state: completed", ""},
		{runquery.Runs, "state:success", "Invalid state: success", "the states are queued, running, completed, aborted"},
		{runquery.Runs, "state:", "Invalid state: ", "the states are queued, running, completed, aborted"},
		{runquery.Workspaces, "state:odd", "Invalid state: odd", "the states are waiting, drift, plan_failed, apply_failed, clean"},
		{runquery.Runs, "created_at:..", "BAD_DATE_FORMAT", ".."},
		{runquery.Runs, "created_at:yesterday", "BAD_DATE_FORMAT", "yesterday"},
		{runquery.Runs, "created_at:2024-13-01", "BAD_DATE_FORMAT", "2024-13-01"},
		{runquery.Runs, "created_at:2023-02-29", "BAD_DATE_FORMAT", "2023-02-29"},
		{runquery.Runs, "created_at:2024-01-01T10:00", "BAD_DATE_FORMAT", "2024-01-01T10:00"},
		{runquery.Runs, `"created_at:2024-01-01 24:00"`, "BAD_DATE_FORMAT", "2024-01-01 24:00"},
		{runquery.Runs, "duration:10", "BAD_DURATION_FORMAT", "10"},
		{runquery.Runs, "duration:..", "BAD_DURATION_FORMAT", ".."},
		{runquery.Runs, "repo:x or (created_at:..)", "BAD_DATE_FORMAT", ".."},
	} {
		_, err := c.list.Compile(c.text, "UTC", now)
		var refused *runquery.Error
		if !errors.As(err, &refused) || refused.ID != c.id || refused.Data != c.data {
			t.Errorf("%s: got %v, want %s with %q", c.text, err, c.id, c.data)
		}
	}
	for _, zone := range []string{"Mars/Olympus", "Local", "../etc"} {
		if _, err := runquery.Runs.Compile("created_at:2025", zone, now); err == nil {
			t.Errorf("zone %s was taken", zone)
		}
		if _, err := runquery.Runs.Compile("repo:x", zone, now); err != nil {
			t.Errorf("zone %s: %v, though the query has no date", zone, err)
		}
	}
}

func TestDirspacesHaveTheStatesThatAreShown(t *testing.T) {
	t.Parallel()
	q, err := runquery.Dirspaces.Compile("state:pending or state:failure", "", now)
	if err != nil || !q.Match(row{"state": {"queued"}}) || !q.Match(row{"state": {"failure"}}) || q.Match(row{"state": {"success"}}) {
		t.Errorf("%+v, %v", q, err)
	}
}

func TestLastSortOfAQueryDecides(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]runquery.Direction{
		"": runquery.Unsorted, "repo:x": runquery.Unsorted, "sort:asc": runquery.Ascending, "sort:asc or sort:desc": runquery.Descending,
		"sort:desc repo:x sort:asc": runquery.Ascending,
	} {
		if q, err := runquery.Runs.Compile(text, "", now); err != nil || q.Sort != want {
			t.Errorf("%s: got %v, %v", text, q.Sort, err)
		}
	}
}

// tags are those of which the property test makes queries and rows.
var tags = []string{"repo:a", "repo:b", "repo:a*", "environment:a", "environment:", "dir:x", "dir:x/*", "pr:1", "destroys", "created_at:2025-06-01"}

func drawRow(t *rapid.T) row {
	some := func(name string, values ...string) []string {
		return rapid.SliceOfN(rapid.SampledFrom(values), 0, 1).Draw(t, name)
	}
	return row{
		"repo": some("repo", "a", "ab", "b"), "environment": some("environment", "a", ""), "pr": some("pr", "1", "2"),
		"dir":        rapid.SliceOfN(rapid.SampledFrom([]string{"x", "x/y", "z"}), 0, 2).Draw(t, "dir"),
		"destroys":   some("destroys", "true", "false"),
		"created_at": some("created_at", "2025-06-01T00:00:00Z", "2025-06-02T00:00:00Z"),
	}
}

// sql evaluates as PostgreSQL does: nil is null.
func sql(t *rapid.T, e tagquery.Expr, r row) *bool {
	isTrue, isFalse := true, false
	switch e := e.(type) {
	case tagquery.Not:
		of := sql(t, e.Expr, r)
		if of == nil {
			return nil
		}
		is := !*of
		return &is
	case tagquery.And:
		left, right := sql(t, e.Left, r), sql(t, e.Right, r)
		if left != nil && !*left || right != nil && !*right {
			return &isFalse
		}
		if left == nil || right == nil {
			return nil
		}
		return &isTrue
	case tagquery.Or:
		left, right := sql(t, e.Left, r), sql(t, e.Right, r)
		if left != nil && *left || right != nil && *right {
			return &isTrue
		}
		if left == nil || right == nil {
			return nil
		}
		return &isFalse
	}
	key, value, _ := strings.Cut(string(e.(tagquery.Tag)), ":")
	found := r[key]
	var is bool
	switch {
	case key == "dir":
		is = slices.ContainsFunc(found, func(f string) bool {
			return f == value || strings.HasSuffix(value, "*") && strings.HasPrefix(f, strings.TrimSuffix(value, "*"))
		})
	case value == "" && key != "destroys":
		is = len(found) == 0 || found[0] == ""
	case len(found) == 0:
		return nil
	case key == "destroys":
		is = found[0] == "true"
	case strings.HasSuffix(value, "*") || key == "created_at":
		is = strings.HasPrefix(found[0], strings.TrimSuffix(value, "*"))
	default:
		is = found[0] == value
	}
	return &is
}

func drawExpr(t *rapid.T, depth int) tagquery.Expr {
	kind := 0
	if depth > 0 {
		kind = rapid.IntRange(0, 3).Draw(t, "kind")
	}
	switch kind {
	case 1:
		return tagquery.Not{Expr: drawExpr(t, depth-1)}
	case 2:
		return tagquery.And{Left: drawExpr(t, depth-1), Right: drawExpr(t, depth-1)}
	case 3:
		return tagquery.Or{Left: drawExpr(t, depth-1), Right: drawExpr(t, depth-1)}
	}
	return tagquery.Tag(rapid.SampledFrom(tags).Draw(t, "tag"))
}

func TestQueriesMatchAsInThreeValuedLogicAndTermsHoldOfEachMatch(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		e, r := drawExpr(t, 4), drawRow(t)
		q, err := runquery.Runs.Compile(tagquery.String(e), "UTC", now)
		if err != nil {
			t.Fatal(err)
		}
		is := sql(t, e, r)
		if got, want := q.Match(r), is != nil && *is; got != want {
			t.Fatalf("%s of %v: matches %t, want %t", tagquery.String(e), r, got, want)
		}
		if !q.Match(r) {
			return
		}
		for _, term := range q.Terms() {
			holds := slices.ContainsFunc(r[term.Key], func(found string) bool {
				if term.Key == "created_at" {
					at, _ := r.Time(term.Key)
					return term.Times.Contains(at)
				}
				return found == term.Value || term.Prefix && strings.HasPrefix(found, term.Value)
			})
			if !holds {
				t.Fatalf("%s matches %v, which lacks %+v", tagquery.String(e), r, term)
			}
		}
	})
}

func FuzzCompile(f *testing.F) {
	for _, seed := range []string{"repo:a dir:b/*", `"created_at:2025-01-01 10:00"`, "created_at:2024..2025", "duration:1m..", "id:" + id} {
		f.Add(seed, "UTC")
	}
	f.Fuzz(func(t *testing.T, text, zone string) {
		for _, list := range []runquery.List{runquery.Runs, runquery.Dirspaces, runquery.Outputs} {
			q, err := list.Compile(text, zone, now)
			var refused *runquery.Error
			if err != nil && (!errors.As(err, &refused) || refused.ID == "") {
				t.Errorf("%q: %v", text, err)
			}
			if err == nil {
				q.Match(plan)
				q.Terms()
			}
		}
	})
}
