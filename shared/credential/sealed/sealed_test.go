package sealed_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"testing"

	"github.com/opsplane/opsplane/shared/credential/sealed"
)

var (
	older = bytes.Repeat([]byte{1}, sealed.MinSecret)
	newer = bytes.Repeat([]byte{2}, sealed.MinSecret)
)

// box returns a box whose server has the secret values.
func box(secrets ...[]byte) *sealed.Box {
	return sealed.NewBox(sealed.Fixed(secrets...))
}

func seal(t *testing.T, b *sealed.Box, place, text string) []byte {
	t.Helper()
	out, err := b.Seal(t.Context(), place, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestTextOpensOnlyInItsPlaceAndWithItsSecret(t *testing.T) {
	t.Parallel()
	made := seal(t, box(older), "USER#1|TOKEN#github", "gho_secret")
	if bytes.Contains(made, []byte("secret")) {
		t.Fatalf("the sealed text holds its content: %q", made)
	}
	for name, c := range map[string]struct {
		box   *sealed.Box
		place string
		opens bool
	}{
		"its own":                      {box(older), "USER#1|TOKEN#github", true},
		"after a rotation":             {box(newer, older), "USER#1|TOKEN#github", true},
		"after its secret was dropped": {box(newer), "USER#1|TOKEN#github", false},
		"of another user":              {box(older), "USER#2|TOKEN#github", false},
		"of another VCS":               {box(older), "USER#1|TOKEN#gitlab", false},
		"of no place":                  {box(older), "", false},
	} {
		got, err := c.box.Open(t.Context(), c.place, made)
		if c.opens && (err != nil || string(got) != "gho_secret") || !c.opens && !errors.Is(err, sealed.ErrUnsealable) {
			t.Errorf("%s: got %q, %v; want that it opens: %t", name, got, err, c.opens)
		}
	}
}

func TestNewestSecretSeals(t *testing.T) {
	t.Parallel()
	made := seal(t, box(newer, older), "p", "text")
	if _, err := box(newer).Open(t.Context(), "p", made); err != nil {
		t.Errorf("with the newest alone: %v", err)
	}
	if _, err := box(older).Open(t.Context(), "p", made); !errors.Is(err, sealed.ErrUnsealable) {
		t.Errorf("with the older alone: got %v, want ErrUnsealable", err)
	}
}

func TestEveryChangeIsNoticed(t *testing.T) {
	t.Parallel()
	b := box(older)
	made := seal(t, b, "p", "text")
	for i := range made {
		for bit := range 8 {
			changed := slices.Clone(made)
			changed[i] ^= 1 << bit
			if _, err := b.Open(t.Context(), "p", changed); !errors.Is(err, sealed.ErrUnsealable) {
				t.Fatalf("bit %d of byte %d changed: got %v, want ErrUnsealable", bit, i, err)
			}
		}
		if _, err := b.Open(t.Context(), "p", made[:i]); !errors.Is(err, sealed.ErrUnsealable) {
			t.Fatalf("cut to %d bytes: got %v, want ErrUnsealable", i, err)
		}
	}
}

func TestEqualTextsAreSealedDifferently(t *testing.T) {
	t.Parallel()
	b := box(older)
	if bytes.Equal(seal(t, b, "p", "text"), seal(t, b, "p", "text")) {
		t.Error("two sealed texts are equal: the nonce is not random")
	}
}

func TestWithoutASecretNothingIsSealed(t *testing.T) {
	t.Parallel()
	broken := errors.New("no such secret")
	for name, b := range map[string]*sealed.Box{
		"none":      box(),
		"too short": box(older[1:]),
		"unread":    sealed.NewBox(func(context.Context, bool) ([][]byte, error) { return nil, broken }),
	} {
		if _, err := b.Seal(t.Context(), "p", nil); err == nil {
			t.Errorf("%s: sealed all the same", name)
		}
	}
	made := seal(t, box(older), "p", "text")
	unread := sealed.NewBox(func(context.Context, bool) ([][]byte, error) { return nil, broken })
	if _, err := unread.Open(t.Context(), "p", made); !errors.Is(err, broken) {
		t.Errorf("got %v, want the failure to read the secret, which is no verdict on the text", err)
	}
}

func TestTextOfASecretThatAnotherInstanceHasReadOpens(t *testing.T) {
	t.Parallel()
	made := seal(t, box(newer, older), "p", "text")
	asked := 0
	late := sealed.NewBox(func(_ context.Context, latest bool) ([][]byte, error) {
		if latest {
			asked++
			return [][]byte{newer, older}, nil
		}
		return [][]byte{older}, nil
	})
	if got, err := late.Open(t.Context(), "p", made); err != nil || string(got) != "text" || asked != 1 {
		t.Errorf("got %q, %v with %d looks at the latest secrets; want the text with 1", got, err, asked)
	}
	// A text that is not sealed, or that is sealed with a known secret value, costs
	// no reading.
	for _, no := range [][]byte{nil, made[:20], seal(t, box(older), "elsewhere", "text")} {
		if _, err := late.Open(t.Context(), "p", no); !errors.Is(err, sealed.ErrUnsealable) || asked != 1 {
			t.Errorf("%x: got %v with %d looks, want ErrUnsealable with no further one", no, err, asked)
		}
	}
}

func TestTextOfAnOlderSecretIsAged(t *testing.T) {
	t.Parallel()
	rotated := box(newer, older)
	for name, c := range map[string]struct {
		by   *sealed.Box
		aged bool
	}{"newest": {rotated, false}, "older": {box(older), true}} {
		if got, err := rotated.Aged(t.Context(), seal(t, c.by, "p", "text")); err != nil || got != c.aged {
			t.Errorf("%s: got %t, %v; want %t", name, got, err, c.aged)
		}
	}
}

// By these characters, operators find what depends on a secret value.
func TestFirstTwelveCharactersInBase64NameTheSecret(t *testing.T) {
	t.Parallel()
	name := func(secret []byte, text string) string {
		return base64.StdEncoding.EncodeToString(seal(t, box(secret), "p", text))[:12]
	}
	if name(older, "a") != name(older, "b") || name(older, "a") == name(newer, "a") {
		t.Errorf("got %s, %s of one secret and %s of another", name(older, "a"), name(older, "b"), name(newer, "a"))
	}
}
