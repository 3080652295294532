package installation_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/storagetest"
	"github.com/opsplane/opsplane/shared/installation"
)

func TestKnownAnswersThoseThatAreThere(t *testing.T) {
	t.Parallel()
	env := storagetest.New(t)
	s := installation.Store{DB: env.DynamoDB, Table: env.Table("OperationsTable")}
	var want, asked []string
	for i := range 120 {
		id := fmt.Sprint(1000 + i)
		asked = append(asked, id, fmt.Sprint(5000+i))
		if i%2 == 0 {
			continue
		}
		want = append(want, id)
		if _, err := s.Save(t.Context(), author("r", time.Unix(4_000_000_000, 0)), installation.Installation{VCS: "github", ID: id, Name: "n"}); err != nil {
			t.Fatal(err)
		}
	}
	asked = append(asked, asked[0], "1001", "", "x#y", "01001")
	for name, c := range map[string]struct {
		vcs         string
		asked, want []string
	}{
		"mixed": {"github", asked, want}, "other VCS": {"gitlab", asked, nil}, "none": {"github", nil, nil}, "invalid alone": {"github", []string{"-1"}, nil},
	} {
		got, err := s.Known(t.Context(), c.vcs, c.asked)
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, %v; want %v", name, got, err, c.want)
		}
	}
}
