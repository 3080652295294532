package output_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/run/output"
	"github.com/opsplane/opsplane/shared/run/result"
)

func TestTextOfEachStepIsWhatItPrinted(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	r := results(t, 6, 40)
	of := h.put(t, r)
	for idx, s := range r.Steps {
		text, err := h.StepText(t.Context(), h.id, of, idx)
		if err != nil || text.URL != "" || string(text.Body) != result.Text(r.Payload(s)) {
			t.Errorf("%d: got %q, %v", idx, text.Body, err)
		}
	}
	for _, idx := range []int{-1, len(r.Steps)} {
		if _, err := h.StepText(t.Context(), h.id, of, idx); !errors.Is(err, output.ErrNoStep) {
			t.Errorf("%d: got %v", idx, err)
		}
	}
}

func TestTextOfARunNamesItsSteps(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	of := h.put(t, decode(t, `{"steps":[
		{"step":"env","success":true,"scope":{"type":"run","flow":"hooks","subflow":"pre"},"payload":{}},
		{"step":"tf/plan","success":true,"scope":{"type":"dirspace","dir":"net","workspace":"default"},"payload":{"text":"a\nb\n","plan":"c"}},
		{"step":"run","success":false,"scope":{"type":"dirspace","dir":"net","workspace":"default"},"payload":{"text":"x","stderr":"y"}},
		{"step":"odd","success":true,"scope":{"type":"stack"},"payload":{}}]}`))
	text, err := h.RunText(t.Context(), h.id, of)
	want := "==> 0 env, hooks pre: success <==\n==> 1 tf/plan, net (default): success <==\na\nb\n==> 2 run, net (default): failure <==\nxy\n==> 3 odd, stack: success <==\n"
	if err != nil || string(text.Body) != want {
		t.Errorf("got %q, %v", text.Body, err)
	}
}

func TestLongTextHasAnAddressOfItsOwn(t *testing.T) {
	t.Parallel()
	var faults storagetest.Faults
	h := newRig(t).failing(&faults)
	r := results(t, 2, 5<<20)
	of := h.put(t, r)
	want := result.Text(r.Payload(r.Steps[2]))
	if len(want) <= output.MaxText {
		t.Fatalf("the text has only %d bytes", len(want))
	}
	for _, c := range []struct {
		name string
		text func() (output.Text, error)
		want func(string) bool
	}{
		{"step", func() (output.Text, error) { return h.StepText(t.Context(), h.id, of, 2) }, func(got string) bool { return got == want }},
		{"run", func() (output.Text, error) { return h.RunText(t.Context(), h.id, of) }, func(got string) bool {
			return strings.HasPrefix(got, "==> 0 env, ") && strings.HasSuffix(got, " <==\n"+want)
		}},
	} {
		faults.Clear()
		for n := range 2 {
			text, err := c.text()
			if err != nil || text.Body != nil || text.URL == "" {
				t.Fatalf("%s: got %d bytes, %q, %v", c.name, len(text.Body), text.URL, err)
			}
			if !c.want(download(t, text.URL)) {
				t.Errorf("%s: the address leads to something else", c.name)
			}
			if faults.Calls("s3:PUT") != 1 || faults.Calls("s3:GET") != 1 || faults.Calls("s3:HEAD") != n+1 {
				t.Errorf("%s: %d writes, %d reads, %d heads", c.name, faults.Calls("s3:PUT"), faults.Calls("s3:GET"), faults.Calls("s3:HEAD"))
			}
		}
	}
	if err := h.Remove(t.Context(), h.id); err != nil || len(h.objects(t)) != 0 {
		t.Errorf("%v, left are %d objects", err, len(h.objects(t)))
	}
}
