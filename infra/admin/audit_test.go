package admin_test

import (
	"strings"
	"testing"
	"time"

	"github.com/opsplane/opsplane/shared/audit"
)

func TestOperatorsReadTheTrailOfEverything(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.must("user create ann", "created")
	ann := r.user("ann").ID
	trail, now := audit.Store{DB: r.env.DynamoDB, Table: r.operator.Tables.Audit}, time.Now()
	for n, record := range []audit.Record{
		{Action: "user.create", Actor: audit.Actor{ID: "operator:bob"}, Subject: ann, After: map[string]any{"name": "ann"}},
		{Action: "key.write", Actor: audit.Actor{ID: ann}, Subject: "plan/1\x1b[2J", VCS: "github", Installation: "42"},
		{Action: "key.remove", Actor: audit.Actor{ID: "operator:bob"}, Subject: "plan/2", VCS: "github", Installation: "42"},
		{Action: "repository.change", Actor: audit.Actor{ID: "webhook:github"}, Subject: "7", VCS: "github", Installation: "42"},
	} {
		record.ID, record.At = string(rune('a'+n)), now.Add(time.Duration(n-60)*time.Minute)
		if _, err := trail.Put(t.Context(), record); err != nil {
			t.Fatal(err)
		}
	}
	const in42 = "audit list --vcs github --installation 42"
	for line, want := range map[string][]string{
		"audit list":                      {"user.create"},
		"audit list --actor operator:bob": {"key.remove", "user.create"},
		"audit list --user ann":           {"key.write"},
		in42:                              {"repository.change", "key.remove", "key.write"},
		in42 + " --limit 2":               {"repository.change", "key.remove"},
		in42 + " --action key.":           {"key.remove", "key.write"},
		in42 + " --actor operator:bob":    {"key.remove"},
		in42 + " --key plan/2":            {"key.remove"},
		in42 + " --repository 7":          {"repository.change"},
		in42 + " --to " + now.Add(-58*time.Minute).UTC().Format(time.RFC3339): {"key.write"},
	} {
		out := r.must(line, "")
		var got []string
		for each := range strings.Lines(out) {
			got = append(got, strings.Fields(each)[1])
		}
		if strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("%s: got %v, want %v", line, got, want)
		}
		if strings.Contains(out, "\x1b") {
			t.Errorf("%s: a key's control characters reach the terminal: %q", line, out)
		}
	}
	r.refused("audit list --vcs bitbucket --installation 1", "not a VCS")
	for _, line := range []string{"audit list --limit 0", "audit list --key k", in42 + " --key k --repository 7", "audit list --from yesterday"} {
		if _, err := r.run(line); err == nil {
			t.Errorf("%s is understood", line)
		}
	}
	if out := r.must(in42+" --key none", ""); out != "" || r.notes.Len() == 0 {
		t.Errorf("nothing found: %q, notes %q", out, r.notes.String())
	}
}
