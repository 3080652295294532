package githubhost_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/opsplane/opsplane/infra/test/vcstest"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

func TestStatusIsSetWithADescriptionThatTheHostTakes(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	full := strings.Repeat("ü", 140)
	for _, c := range []struct{ given, want string }{{"", ""}, {full, full}, {full + "ü", strings.Repeat("ü", 139) + "…"}} {
		for _, state := range []vcshost.CheckState{vcshost.CheckPending, vcshost.CheckSuccess, vcshost.CheckFailure} {
			s := vcshost.CommitStatus{Name: "terrateam apply", State: state, Description: c.given, URL: "https://ops.example.com/i/42/runs/1"}
			if err := r.client.SetStatus(t.Context(), infra, r.head, s); err != nil {
				t.Fatal(err)
			}
			r.update(func(repo *vcstest.Repository) {
				list := repo.Statuses[r.head]
				want := vcstest.Status{Context: s.Name, State: string(state), Description: c.want, URL: s.URL}
				if got := list[len(list)-1]; !reflect.DeepEqual(got, want) {
					t.Errorf("got %+v, want %+v", got, want)
				}
			})
		}
	}
}

func TestStatusThatTheHostRejectsIsTold(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.host.Fail(vcstest.Failure{Match: "/statuses/", Status: 422, Body: `{"message":"Validation Failed: This SHA and context has reached the maximum number of statuses."}`})
	var rejected *vcshost.Rejection
	err := r.client.SetStatus(t.Context(), infra, r.head, vcshost.CommitStatus{Name: "terrateam apply", State: vcshost.CheckPending})
	if !errors.As(err, &rejected) || !strings.Contains(rejected.Words, "maximum number") {
		t.Errorf("got %v", err)
	}
}
