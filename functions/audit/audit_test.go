package main

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/opsplane/opsplane/infra/test/contract"
	"github.com/opsplane/opsplane/infra/test/functiontest"
	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/audit"
	"github.com/opsplane/opsplane/shared/login/user"
	"github.com/opsplane/opsplane/shared/vcs"
)

var born = functiontest.Start

func TestRoutesAgreeWithTemplateAndDocument(t *testing.T) {
	contract.CheckRoutes(t, function, routes(trail{}))
}

// keep is how long the table keeps a record. It is much longer than the age of the
// oldest record of a test, because DynamoDB Local removes expired items.
const keep = 365 * 24 * time.Hour

// rig is the function with storage of its own. The caller is Ann, who is a member
// of an installation.
type rig struct {
	*functiontest.Rig
	trail // of the test, which also writes
}

const function = "AuditFunction"

func newRig(t testing.TB) *rig { return rigOn(functiontest.New(t, function)) }

func rigOn(of *functiontest.Rig) *rig {
	r := &rig{of, over(of.Env)}
	r.Serve(routes(over(r.Role)))
	r.Caller = functiontest.Token("ann", access.AuditRead)
	r.Caller.Memberships = []vcs.Installation{{VCS: "github", ID: "42"}}
	return r
}

// over returns the trail with the clients of an env.
func over(env *storagetest.Env) trail {
	return trail{
		records: audit.Store{DB: env.DynamoDB, Table: env.Table("AuditTable"), Keep: keep},
		users:   &user.Store{DB: env.DynamoDB, Table: env.Table("OperationsTable")},
	}
}

// put adds a record that is older than now by ago. An empty installation means
// none.
func (r *rig) put(t *testing.T, id, installation, actor, action, subject string, ago time.Duration) {
	t.Helper()
	record := audit.Record{ID: id, At: born.Add(-ago), Action: action, Actor: audit.Actor{ID: actor}, Subject: subject}
	if installation != "" {
		record = record.In(vcs.Installation{VCS: vcs.GitHub, ID: vcs.ID(installation)})
	}
	if fresh, err := r.records.Put(t.Context(), record); err != nil || !fresh {
		t.Fatalf("%t, %v", fresh, err)
	}
}

// get returns the status, the ids of the records, and the links.
func (r *rig) get(t *testing.T, target string) (status int, ids []string, links map[string]string) {
	t.Helper()
	got := r.Do(t, "GET", target, "")
	if got.StatusCode != 200 {
		return got.StatusCode, nil, nil
	}
	var page struct{ Results []audit.Record }
	if got.Read(t, &page); page.Results == nil {
		t.Fatalf("got %s, want a list", got.Body)
	}
	for _, record := range page.Results {
		ids = append(ids, record.ID)
	}
	return got.StatusCode, ids, got.Links(t)
}

// walk follows links of one kind to the end. It returns every id, the number of
// pages, and the last page's own target.
func (r *rig) walk(t *testing.T, target, rel string) (all []string, pages int, last string) {
	t.Helper()
	for ; target != "" && pages < 100; pages++ {
		status, ids, links := r.get(t, target)
		if status != 200 {
			t.Fatalf("%s: status %d", target, status)
		}
		if rel == "prev" {
			slices.Reverse(ids)
		}
		all, last, target = append(all, ids...), target, links[rel]
	}
	return all, pages, last
}

const (
	path = "/api/v1/audit"
	of42 = path + "?vcs=github&installation_id=42"
)

func TestPagesJoinToTheWholeTrailInBothDirections(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var want []string
	for n := range 700 { // over 60 days: some days have many records, many days have none
		id := fmt.Sprintf("%04d", n)
		day := time.Duration(n*n/8000) * 24 * time.Hour
		r.put(t, id, "42", []string{"ann", "bob"}[n%2], "key.write", "k", day+time.Duration(n)*time.Second)
		r.put(t, "x"+id, "43", "ann", "key.write", "k", day)
		want = append(want, id)
	}
	since := "&from=" + url.QueryEscape(born.AddDate(0, 0, -90).Format(time.RFC3339))
	for _, limit := range []int{7, 200} {
		all, _, last := r.walk(t, fmt.Sprintf("%s%s&limit=%d", of42, since, limit), "next")
		if !slices.Equal(all, want) {
			t.Errorf("limit %d: %d records, want %d: %.300s", limit, len(all), len(want), all)
		}
		back, _, _ := r.walk(t, last, "prev")
		slices.Reverse(back)
		if len(back) < len(want)-limit || !slices.Equal(back, want[:len(back)]) && !slices.Equal(back, want[len(want)-len(back):]) {
			t.Errorf("limit %d, backwards: %d records: %.300s", limit, len(back), back)
		}
	}
	own, _, _ := r.walk(t, path+"?limit=50"+since, "next")
	if len(own) != 700+350 || len(slices.Compact(slices.Sorted(slices.Values(own)))) != len(own) {
		t.Errorf("of the caller's own %d, want 1050", len(own))
	}
}

const aRun = "0b6e1f9e-6f0c-4c49-9a9d-5d8f6a3f7b11"

func TestFilters(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.put(t, "1", "42", "ann", "key.write", "plan/1", time.Hour)
	r.put(t, "2", "42", "bob", "key.commit", "plan/1", 2*time.Hour)
	r.put(t, "3", "42", "webhook:github", "repository.change", "7", 3*time.Hour)
	r.put(t, "4", "42", "ann", "repository.remove", "7", 4*time.Hour)
	r.put(t, "5", "42", "ann", "key.write", "7", 5*time.Hour)
	r.put(t, "6", "", "ann", "api_key.create", "k", 6*time.Hour)
	r.put(t, "7", "", "bob", "api_key.create", "k", 6*time.Hour)
	r.put(t, "8", "42", "ann", "key.write", "", 40*24*time.Hour)
	r.put(t, "9", "42", "ann", "run.create", aRun, 41*24*time.Hour)
	r.put(t, "a", "42", "ann", "lock.release", aRun, 42*24*time.Hour)
	at := func(ago time.Duration) string { return url.QueryEscape(born.Add(-ago).Format(time.RFC3339)) }
	for query, want := range map[string]string{
		of42:                              "[1 2 3 4 5 8 9 a]",
		of42 + "&actor=bob":               "[2]",
		of42 + "&action=key.write":        "[1 5 8]",
		of42 + "&action=repository.":      "[3 4]",
		of42 + "&key=plan/1":              "[1 2]",
		of42 + "&key=7":                   "[5]",
		of42 + "&repository=7":            "[3 4]",
		of42 + "&from=" + at(2*time.Hour): "[1 2]",
		of42 + "&to=" + at(3*time.Hour):   "[4 5 8 9 a]",
		of42 + "&to=0559-02-27T13:38:30Z": "[]", of42 + "&from=2999-01-01T00:00:00Z": "[]",
		of42 + "&to=2999-01-01T00:00:00Z&limit=2":       "[1 2 3 4 5 8 9 a]",
		of42 + "&key=plan/1&actor=bob":                  "[2]",
		of42 + "&repository=7&action=repository.change": "[3]",
		of42 + "&run=" + aRun:                           "[9]",
		of42 + "&run=" + aRun + "&action=run.abort":     "[]",
		path + "?run=" + aRun:                           "[9]",
		of42 + "&key=&from=" + at(50*24*time.Hour):      "[8]",
		path:                                "[1 4 5 6 8 9 a]",
		path + "?key=7":                     "[5]",
		path + "?repository=7":              "[4]",
		path + "?actor=ann&action=api_key.": "[6]",
	} {
		all, _, _ := r.walk(t, query, "next")
		if got := fmt.Sprint(all); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
}

func TestTrailIsReadByThoseWhoMay(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ask := func(target string) int {
		t.Helper()
		status, _, _ := r.get(t, target)
		return status
	}
	for target, want := range map[string]int{
		of42: 200, path: 200, path + "?actor=ann": 200,
		path + "?vcs=github&installation_id=43": 403, path + "?vcs=gitlab&installation_id=42": 403, path + "?actor=bob": 403,
		path + "?vcs=github": 400, path + "?installation_id=42": 400, path + "?vcs=svn&installation_id=42": 400,
		of42 + "&action=repository": 400, of42 + "&action=": 400, of42 + "&action=key.delete": 400, of42 + "&action=key.wirte": 400, of42 + "&action=bogus.": 400, of42 + "&action=key.a.b": 400, of42 + "&action=.": 400, of42 + "&key=plan/1&repository=7": 400, of42 + "&repository=legacy": 400,
		of42 + "&run=7": 400, of42 + "&run=": 400, of42 + "&run=" + strings.ToUpper(aRun): 400, of42 + "&repository=7&run=" + aRun: 400, of42 + "&key=k&run=" + aRun: 400,
		of42 + "&repository=-1": 400, of42 + "&repository=": 400, of42 + "&from=2026-11-02T00:00:00Z&to=2026-11-01T00:00:00Z": 400, path + "?vcs=github&installation_id=x": 400,
		path + "?from=yesterday": 400, path + "?to=2026-13-01T00:00:00Z": 400, of42 + "&page=n&page=x": 400, of42 + "&limit=0": 400,
		of42 + "&page=n&page=" + "MDAwMDAwMDAwMDAwMCM": 400, path + "?key=" + strings.Repeat("k", 1001): 400,
	} {
		if got := ask(target); got != want {
			t.Errorf("%s: %d, want %d", target, got, want)
		}
	}
	caller := *r.Caller
	r.Caller.Capabilities = access.Set{access.KVStoreRead, access.KVStoreWrite}
	if got := ask(of42); got != 403 {
		t.Errorf("without the capability: %d", got)
	}
	r.Caller.Capabilities = access.Set{access.AuditRead, access.Installation("43")}
	if got, own := ask(of42), ask(path); got != 403 || own != 403 {
		t.Errorf("restricted to another installation: %d, of its own actions %d", got, own)
	}
	*r.Caller = caller
	r.Caller.Kind = access.KindSession
	if got := ask(of42); got != 403 {
		t.Errorf("session: %d", got)
	}
	*r.Caller = caller
	r.Caller.Memberships, r.Caller.Partial = nil, true
	if got := ask(of42); got != 403 {
		t.Errorf("token of nobody: %d", got)
	}
	u, err := r.users.Create(t.Context(), "ann", r.Author())
	if err != nil {
		t.Fatal(err)
	}
	r.Caller.User = u.ID
	if got := ask(of42); got != 403 {
		t.Errorf("token of a stranger: %d", got)
	}
	if err := r.users.AddMembership(t.Context(), u.ID, vcs.Installation{VCS: "github", ID: "42"}, r.Author()); err != nil {
		t.Fatal(err)
	}
	if got := ask(of42); got != 200 {
		t.Errorf("token of a member: %d", got)
	}
}

func TestWhoMayReadEverythingSeesWhatBelongsToNoInstallation(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.put(t, "1", "", "operator:bob", "user.create", "u", time.Hour)
	r.put(t, "2", "43", "operator:bob", "installation.create", "43", 2*time.Hour)
	r.put(t, "3", "", "ann", "api_key.create", "k", 3*time.Hour)
	of43 := path + "?vcs=github&installation_id=43"
	for _, c := range []struct {
		caps access.Set
		want map[string]string
	}{
		{access.Set{access.AuditRead, access.AuditReadAll}, map[string]string{
			path: "[1 3]", path + "?actor=operator:bob": "[1 2]", path + "?actor=ann": "[3]", of43: "[2]", path + "?action=user.": "[1]", path + "?key=k": "400", path + "?repository=7": "400", path + "?actor=ann&key=k": "[]",
		}},
		{access.Set{access.AuditRead, access.AuditReadAll, access.Installation("43")}, map[string]string{
			path: "403", path + "?actor=ann": "403", of43: "[2]", of42: "403",
		}},
		{access.Set{access.AuditReadAll}, map[string]string{path: "403", of43: "403"}},
		{access.Set{access.AuditRead}, map[string]string{path: "[3]", of43: "403", path + "?actor=operator:bob": "403"}},
	} {
		r.Caller.Capabilities = c.caps
		for target, want := range c.want {
			status, ids, _ := r.get(t, target)
			got := fmt.Sprint(ids)
			if status != 200 {
				got = fmt.Sprint(status)
			}
			if got != want {
				t.Errorf("%v: %s: %s, want %s", c.caps, target, got, want)
			}
		}
	}
}

func TestPageBeforeTheFirstLeadsBackToIt(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for n := range 7 {
		r.put(t, fmt.Sprint(n), "42", "ann", []string{"key.write", "key.commit"}[n%2], "k", time.Duration(n)*time.Second)
	}
	for _, target := range []string{of42 + "&limit=2", of42 + "&limit=2&action=key.commit"} {
		want, _, last := r.walk(t, target, "next")
		back, _, first := r.walk(t, last, "prev")
		slices.Reverse(back)
		if !slices.Equal(back, want) {
			t.Errorf("%s: backwards %v, want %v", target, back, want)
		}
		if again, _, _ := r.walk(t, first, "next"); len(again) > 0 && !slices.Equal(again, want) {
			t.Errorf("%s: forward again from %s: %v, want %v", target, first, again, want)
		}
	}
}

func TestNarrowFilterGoesOnBehindWhatACallReads(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	group, ctx := errgroup.WithContext(t.Context())
	group.SetLimit(16)
	for n := range 2300 {
		group.Go(func() error {
			action := "key.write"
			if n == 5 || n == 1500 || n == 2299 {
				action = "key.remove"
			}
			record := audit.Record{
				ID: fmt.Sprintf("%04d", n), At: born.Add(-time.Duration(n) * time.Second), Action: action, Actor: audit.Actor{ID: "ann"},
				Subject: "k", VCS: "github", Installation: "42",
			}
			_, err := r.records.Put(ctx, record)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	all, pages, _ := r.walk(t, of42+"&action=key.remove&limit=10", "next")
	if got := fmt.Sprint(all); got != "[0005 1500 2299]" || pages != 3 {
		t.Errorf("%s in %d pages, want three records in three", got, pages)
	}
	whole, _, _ := r.walk(t, of42+"&limit=200", "next")
	if len(whole) != 2300 || !slices.IsSorted(whole) {
		t.Errorf("%d records, want 2300 in their order", len(whole))
	}
}
