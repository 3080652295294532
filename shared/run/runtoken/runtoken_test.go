package runtoken_test

import (
	"strings"
	"testing"

	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/runtoken"
)

func TestTokenNamesItsRunAndMatchesOnlyItsDigest(t *testing.T) {
	t.Parallel()
	id := run.NewID()
	token, other := runtoken.New(id), runtoken.New(id)
	if got, ok := runtoken.RunOf(token); !ok || got != id {
		t.Errorf("got %q, %t, want %q", got, ok, id)
	}
	if token == other || len(token) < 80 {
		t.Errorf("the tokens %q and %q can be guessed", token, other)
	}
	digest := runtoken.Digest(token)
	for name, c := range map[string]struct {
		token  string
		digest []byte
		want   bool
	}{
		"its own":             {token, digest, true},
		"another secret":      {other, digest, false},
		"no digest":           {token, nil, false},
		"part of the digest":  {token, digest[:16], false},
		"token of no run":     {"", digest, false},
		"one character later": {token + "A", digest, false},
	} {
		if got := runtoken.Matches(c.token, c.digest); got != c.want {
			t.Errorf("%s: got %t", name, got)
		}
	}
}

func TestTextThatIsNoTokenNamesNoRun(t *testing.T) {
	t.Parallel()
	id := run.NewID()
	token := runtoken.New(id)
	secret := token[len(runtoken.Prefix)+37:]
	for _, text := range []string{
		"", "opsr_", token[1:], token + "A", token[:len(token)-1], strings.ToUpper(token), " " + token,
		runtoken.Prefix + strings.ToUpper(string(id)) + "_" + secret,
		runtoken.Prefix + string(id) + "-" + secret,
		runtoken.Prefix + string(id) + "_" + strings.Repeat("+", len(secret)),
		runtoken.Prefix + strings.Repeat("x", 36) + "_" + secret,
		// The last character has unused bits: only one form is a token.
		token[:len(token)-1] + "B",
	} {
		if got, ok := runtoken.RunOf(text); ok {
			t.Errorf("%q names the run %s", text, got)
		}
	}
}

func FuzzRunOf(f *testing.F) {
	f.Add(runtoken.New(run.NewID()))
	f.Add("opsr__")
	f.Fuzz(func(t *testing.T, text string) {
		id, ok := runtoken.RunOf(text)
		if ok && !strings.HasPrefix(text, runtoken.Prefix+string(id)+"_") {
			t.Errorf("%q names the run %q", text, id)
		}
	})
}
