package githubhost_test

import (
	"errors"
	"fmt"
	"reflect"
	"testing"

	"github.com/opsplane/opsplane/infra/test/vcstest"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

func TestChangesAreThoseSinceTheMergeBase(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	main := r.content.Commit("main", map[string][]byte{"only-on-main.tf": []byte("1")})
	want := []vcshost.FileChange{{Path: "a/main.tf"}, {Path: "c.tf"}, {Path: "d/main.tf", Previous: "b/main.tf"}}
	for name, base := range map[string]string{"the merge base": r.base, "a later commit": main} {
		if got, err := r.client.Changes(t.Context(), infra, base, r.head); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("with %s: got %+v, %v, want %+v", name, got, err, want)
		}
	}
	if got, err := r.client.Changes(t.Context(), infra, r.base, r.base); err != nil || len(got) != 0 {
		t.Errorf("of one commit: got %+v, %v", got, err)
	}
	if got, err := r.client.Changes(t.Context(), infra, r.base, "0000"); !errors.Is(err, vcshost.ErrGone) {
		t.Errorf("of a commit that is gone: got %+v, %v", got, err)
	}
}

// TestChangesAreCompleteWhateverTheirNumber also moves, removes and changes the mode of
// files in the large change.
func TestChangesAreCompleteWhateverTheirNumber(t *testing.T) {
	t.Parallel()
	for _, n := range []int{299, 300, 301, 3_000} {
		r := newRig(t)
		r.content.SetBranch("many", r.base)
		changes := map[string][]byte{"b/main.tf": nil, "moved.tf": []byte("b")} // one moved file
		for i := range n - 2 {
			changes[fmt.Sprintf("new/%04d.tf", i)] = fmt.Appendf(nil, "%d", i)
		}
		head := r.content.Commit("many", changes)
		files, _ := r.content.Files(head)
		mode := files[0]
		mode.Mode = "100755"
		head = r.content.CommitFiles("many", map[string]vcstest.File{mode.Path: mode})
		before := r.requests()
		got, err := r.client.Changes(t.Context(), infra, r.base, head)
		if err != nil {
			t.Fatalf("%d: %v", n, err)
		}
		touched := map[string]bool{}
		for _, c := range got {
			touched[c.Path] = true
			if c.Previous != "" {
				touched[c.Previous] = true
			}
		}
		want := n + 1 // the moved file has two names
		if requests := r.requests() - before; len(touched) != want || !touched["b/main.tf"] || !touched["moved.tf"] || !touched[mode.Path] || touched["c.tf"] || requests > 3 || n < 300 && requests != 1 {
			t.Errorf("%d changes: got %d paths with %d requests", n, len(touched), requests)
		}
	}
}

func TestOddComparisonIsNoComparison(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, body := range []string{
		`{}`, `{"merge_base_commit":{"sha":"1"}}`, `{"files":[]}`, `{"merge_base_commit":{"sha":"1"},"files":[{"status":"added"}]}`,
		`{"merge_base_commit":{"sha":"1"},"files":[{"status":"renamed","filename":"a"}]}`, `[]`, ``,
	} {
		r.host.Fail(vcstest.Failure{Match: "/compare/", Times: 1, Status: 200, Body: body})
		if got, err := r.client.Changes(t.Context(), infra, r.base, r.head); err == nil {
			t.Errorf("%s: got %+v", body, got)
		}
	}
	r.host.Fail(vcstest.Failure{Match: "/compare/", Times: 1, Status: 200, Body: `{"merge_base_commit":{"sha":"1"},"files":[{"status":"copied","filename":"b","previous_filename":"a"}]}`})
	if got, err := r.client.Changes(t.Context(), infra, r.base, r.head); err != nil || !reflect.DeepEqual(got, []vcshost.FileChange{{Path: "b"}}) {
		t.Errorf("of a copy: got %+v, %v", got, err)
	}
}
