package loginhost_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/opsplane/opsplane/infra/test/vcstest"
	"github.com/opsplane/opsplane/shared/login/loginhost"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/githubhost"
	"github.com/opsplane/opsplane/shared/vcs/gitlabhost"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// hosts returns both hosts, on one server.
func hosts(v *vcstest.People) map[vcs.VCS]loginhost.People {
	return map[vcs.VCS]loginhost.People{"github": githubhost.NewPeople(v.URL), "gitlab": gitlabhost.NewPeople(v.URL + "/api")}
}

func TestHostSaysWhoThePersonIs(t *testing.T) {
	t.Parallel()
	v := vcstest.NewPeople(t)
	for system, host := range hosts(v) {
		got, err := host.Whoami(t.Context(), vcstest.PersonToken)
		if err != nil || got.ID != "583231" || got.Login != "ann" || got.AvatarURL == "" {
			t.Errorf("%s: got %+v, %v; want ann", system, got, err)
		}
		if got, err := host.Whoami(t.Context(), "another"); !errors.Is(err, vcshost.ErrRefused) {
			t.Errorf("%s, with another token: got %+v, %v; want ErrRefused", system, got, err)
		}
		if got, err := host.Installations(t.Context(), "another"); !errors.Is(err, vcshost.ErrRefused) {
			t.Errorf("%s, with another token: got %v, %v; want ErrRefused", system, got, err)
		}
	}
	v.Person = vcstest.Person{Login: "nobody"}
	for system, host := range hosts(v) {
		if got, err := host.Whoami(t.Context(), vcstest.PersonToken); err == nil {
			t.Errorf("%s, an account without id: got %+v, want an error", system, got)
		}
	}
}

func TestHostsAreTheVCSsThatHaveAnID(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		env  map[string]string
		want []vcs.VCS
	}{
		"none":   {nil, nil},
		"GitHub": {map[string]string{"GITHUB_APP_CLIENT_ID": "Iv1.x"}, []vcs.VCS{vcs.GitHub}},
		"both":   {map[string]string{"GITHUB_APP_CLIENT_ID": "Iv1.x", "GITLAB_APP_ID": "abc"}, vcs.All()},
	} {
		got := loginhost.FromEnv(aws.Config{}, func(name string) string { return c.env[name] }, time.Now)
		for _, system := range vcs.All() {
			host, ok := got[system]
			if ok != slices.Contains(c.want, system) || ok && (host.OAuth == nil || host.People == nil) {
				t.Errorf("%s: got %s %+v, %t", name, system, host, ok)
			}
		}
	}
}
