package demohost

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/opsplane/opsplane/infra/test/vcstest"
)

// keeper keeps the pull requests of a host, with comments and statuses, in a file.
type keeper struct {
	host interface {
		Save() ([]byte, error)
		Load(text []byte) error
	}
	file string
}

func keepers(folder string, github *vcstest.GitHub, gitlab *vcstest.GitLab) []keeper {
	return []keeper{{github, filepath.Join(folder, "github.json")}, {gitlab, filepath.Join(folder, "gitlab.json")}}
}

// load reads what an earlier start has kept.
func (k keeper) load() error {
	text, err := os.ReadFile(k.file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return k.host.Load(text)
}

// save replaces the file as a whole.
func (k keeper) save() error {
	text, err := k.host.Save()
	if err != nil {
		return err
	}
	part := k.file + ".part"
	if err := os.WriteFile(part, text, 0o600); err != nil {
		return err
	}
	return os.Rename(part, k.file)
}
