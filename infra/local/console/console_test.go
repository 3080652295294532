package console

import (
	"bytes"
	"strings"
	"testing"
)

func TestLinesStayWholeAndNamed(t *testing.T) {
	var screen bytes.Buffer
	c := New(&screen)
	one, two := c.Lines("kv"), c.Lines("authorizer")
	for _, write := range []struct {
		to   interface{ Write([]byte) (int, error) }
		text string
	}{{one, "a"}, {two, "x\ny"}, {one, "b\nc\n"}, {two, "z"}} {
		if _, err := write.to.Write([]byte(write.text)); err != nil {
			t.Fatal(err)
		}
	}
	c.Say("%d functions", 5)
	if err := two.Close(); err != nil {
		t.Fatal(err)
	}
	want := "authorizer | x\nkv         | ab\nkv         | c\nstack      | 5 functions\nauthorizer | yz\n"
	if got := screen.String(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestEndlessLineIsBrokenUp(t *testing.T) {
	var screen bytes.Buffer
	if _, err := New(&screen).Lines("kv").Write([]byte(strings.Repeat("x", maxLine+1))); err != nil {
		t.Fatal(err)
	}
	if screen.Len() <= maxLine {
		t.Errorf("%d bytes written, the rest is held back", screen.Len())
	}
}
