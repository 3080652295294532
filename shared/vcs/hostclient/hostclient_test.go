package hostclient_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/infra/test/vcstest"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/credential/sealed"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/githubhost"
	"github.com/opsplane/opsplane/shared/vcs/gitlabhost"
	"github.com/opsplane/opsplane/shared/vcs/hostclient"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// lister is an interface of a caller.
type lister interface {
	Repositories(ctx context.Context, page, size int) (vcshost.RepositoryPage, error)
}

func TestClientsOfBothHostsAreOpenedFromTheEnvironment(t *testing.T) {
	storage := storagetest.New(t)
	github, gitlab := vcstest.NewGitHub(t), vcstest.NewGitLab(t)
	github.Install("42", vcstest.Repository{ID: 7, Owner: "acme", Name: "infra"})
	gitlab.Set(vcstest.Group{ID: 77, FullPath: "acme", Inherited: map[int64]int{9: 30}, Projects: []vcstest.Project{{ID: 7, PathWithNamespace: "acme/infra"}}})
	dir := t.TempDir()
	t.Setenv("SECRETS_DIR", dir)
	if err := os.WriteFile(filepath.Join(dir, "key"), []byte(github.Key), 0o600); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{
		"GITHUB_APP_ID": strconv.Itoa(vcstest.AppID), "GITHUB_APP_PRIVATE_KEY": "key", "GITHUB_API_BASE_URL": github.API,
		"GITLAB_API_BASE_URL": gitlab.API, "SESSIONS_TABLE": storage.Table("SessionsTable"),
	}
	open := func() (*hostclient.Hosts, hostclient.Opener[lister]) {
		box := sealed.NewBox(sealed.Fixed(bytes.Repeat([]byte("s"), 40)))
		hosts := hostclient.FromEnv(aws.Config{}, storage.DynamoDB, box, func(name string) string { return env[name] }, time.Now)
		return hosts, hostclient.For(hosts, func(i *githubhost.Installation) lister { return i }, func(i *gitlabhost.Installation) lister { return i })
	}
	hosts, opener := open()
	author := change.Author{Principal: "test", Request: "r", At: time.Unix(4_000_000_000, 0)}
	if err := hosts.Tokens.Put(t.Context(), "77", gitlab.Account(9, "bot"), author); err != nil {
		t.Fatal(err)
	}
	for _, of := range []vcs.Installation{{VCS: vcs.GitHub, ID: "42"}, {VCS: vcs.GitLab, ID: "77"}} {
		client, err := opener(t.Context(), of)
		if err != nil {
			t.Fatal(err)
		}
		if page, err := client.Repositories(t.Context(), 1, 100); err != nil || len(page.Repositories) != 1 || page.Repositories[0].ID != "7" {
			t.Errorf("%s: %+v, %v", of, page, err)
		}
	}
	refused := func(of vcs.Installation, want error) {
		t.Helper()
		if client, err := opener(t.Context(), of); client != nil || want != nil && !errors.Is(err, want) || err == nil {
			t.Errorf("%s: got %v, %v, want %v", of, client, err, want)
		}
	}
	refused(vcs.Installation{VCS: vcs.GitLab, ID: "78"}, vcshost.ErrNoToken)
	refused(vcs.Installation{VCS: "bitbucket", ID: "1"}, nil)
	for _, name := range []string{"GITHUB_APP_PRIVATE_KEY", "GITHUB_APP_ID"} {
		env[name] = ""
		_, opener = open()
		refused(vcs.Installation{VCS: vcs.GitHub, ID: "42"}, vcshost.ErrNotConfigured)
	}
	if n := github.Asked("POST "); n != 1 {
		t.Errorf("GitHub was asked for %d tokens, want 1: opening asks nothing", n)
	}
}
