package worktoken_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/opsplane/opsplane/shared/credential/sealed"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/worktoken"
)

var older, newer = bytes.Repeat([]byte{1}, sealed.MinSecret), bytes.Repeat([]byte{2}, sealed.MinSecret)

func tokens(values ...[]byte) worktoken.Tokens { return worktoken.New(sealed.Fixed(values...)) }

// of returns the work token of a run.
func of(t *testing.T, by worktoken.Tokens, id run.ID) string {
	t.Helper()
	token, err := by.Of(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestWorkTokenLeadsToItsRunAlone(t *testing.T) {
	t.Parallel()
	by := tokens(newer)
	rapid.Check(t, func(r *rapid.T) {
		raw := rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(r, "id")
		id := run.ID(uuid.UUID(raw).String())
		token, err := by.Of(t.Context(), id)
		if err != nil || token == string(id) {
			r.Fatalf("%s: got %s, %v", id, token, err)
		}
		if parsed, err := run.ParseID(token); err != nil || string(parsed) != token {
			r.Fatalf("%s is not a lower-case UUID", token)
		}
		if again, err := by.Of(t.Context(), id); err != nil || again != token {
			r.Fatalf("%s: got %s, then %s", id, token, again)
		}
		for text, want := range map[string]bool{token: true, strings.ToUpper(token): true, string(id): false} {
			if got, err := by.Names(t.Context(), text, id); err != nil || got != want {
				r.Fatalf("%s as the work token of %s: got %t, %v", text, id, got, err)
			}
		}
	})
}

func TestWorkTokenWorksAsLongAsItsSecretValue(t *testing.T) {
	t.Parallel()
	id := run.NewID()
	token := of(t, tokens(older), id)
	for name, c := range map[string]struct {
		by   worktoken.Tokens
		want bool
	}{
		"before the rotation":       {tokens(older), true},
		"with both values":          {tokens(newer, older), true},
		"after it was dropped":      {tokens(newer), false},
		"at another server":         {tokens(bytes.Repeat([]byte{3}, 40)), false},
		"with the newest value now": {tokens(older, newer), true},
	} {
		if got, err := c.by.Names(t.Context(), token, id); err != nil || got != c.want {
			t.Errorf("%s: got %t, %v", name, got, err)
		}
	}
	if of(t, tokens(newer, older), id) == token || of(t, tokens(older, newer), id) != token {
		t.Error("the newest value does not make the work token")
	}
}

func TestValueThatAnotherInstanceHasReadIsFound(t *testing.T) {
	t.Parallel()
	id, asked := run.NewID(), 0
	late := worktoken.New(func(_ context.Context, latest bool) ([][]byte, error) {
		if latest {
			asked++
			return [][]byte{newer, older}, nil
		}
		return [][]byte{older}, nil
	})
	for token, want := range map[string]int{of(t, tokens(older), id): 0, of(t, tokens(newer), id): 1} {
		asked = 0
		if got, err := late.Names(t.Context(), token, id); err != nil || !got || asked != want {
			t.Errorf("got %t, %v with %d looks at the latest values, want %d", got, err, asked, want)
		}
	}
	asked = 0
	candidates := 0
	for range late.Runs(t.Context(), string(run.NewID())) {
		candidates++
	}
	if candidates != 2 || asked != 1 {
		t.Errorf("an unknown work token stands for %d ids with %d looks, want one for each value with 1", candidates, asked)
	}
}

func TestTextThatIsNoUUIDNamesNoRun(t *testing.T) {
	t.Parallel()
	by := worktoken.New(func(context.Context, bool) ([][]byte, error) { return nil, errors.New("asked for the secret") })
	for _, text := range []string{"", "x", strings.Repeat("0", 32), "{" + string(run.NewID()) + "}", string(run.NewID()) + "0"} {
		if got, err := by.Names(t.Context(), text, ""); err != nil || got {
			t.Errorf("%q: got %t, %v", text, got, err)
		}
	}
}

func TestWithoutASecretThereAreNoWorkTokens(t *testing.T) {
	t.Parallel()
	broken := errors.New("no such secret")
	id := run.NewID()
	for name, by := range map[string]worktoken.Tokens{
		"none":      tokens(),
		"too short": tokens(older[1:]),
		"unread":    worktoken.New(func(context.Context, bool) ([][]byte, error) { return nil, broken }),
	} {
		if token, err := by.Of(t.Context(), id); err == nil {
			t.Errorf("%s: made %s all the same", name, token)
		}
	}
	if _, err := worktoken.New(func(context.Context, bool) ([][]byte, error) { return nil, broken }).Names(t.Context(), string(id), id); !errors.Is(err, broken) {
		t.Errorf("got %v, want the failure to read the secret", err)
	}
	if _, err := tokens(older).Of(t.Context(), "x"); err == nil {
		t.Error("a text that is no id has a work token")
	}
}
