package runview_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/runindex"
	"github.com/opsplane/opsplane/shared/run/runview"
)

// encode returns a value as the functions encode it.
func encode(t *testing.T, v any) []byte {
	t.Helper()
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	return bytes.TrimSuffix(text.Bytes(), []byte("\n"))
}

// TestLargestRunFitsIntoAResponse encodes runs with more dirspaces than a response can
// carry, in the form that shows the most of each: the response of the function, which
// holds the body as a JSON string.
func TestLargestRunFitsIntoAResponse(t *testing.T) {
	t.Parallel()
	const (
		most  = 4 << 20
		other = 4 << 10 // of the run besides its dirspaces
	)
	for name, dir := range map[string]string{"plain": "d%05d", "quotes": `"%05d\"`, "markup": "<&>é%05d", "separators": "\u2028%05d\u2029"} {
		r := runindex.Run{Run: run.Run{Spec: run.Spec{Type: run.Plan}, State: run.Completed, Result: &run.Result{}}}
		for n := range 50_000 {
			r.Dirspaces = append(r.Dirspaces, run.Dirspace{Dir: fmt.Sprintf(dir, n), Workspace: "w"})
			r.Result.Outcomes = append(r.Result.Outcomes, run.HasResult|run.PlanStored) // "false" is longer than "true"
		}
		r.Fit()
		response := encode(t, string(encode(t, runview.Of(&r))))
		if size := len(response); size > most+other || size < most-most/20 || r.Omitted == 0 {
			t.Errorf("%s: %d dirspaces have %d bytes, want nearly %d", name, len(r.Dirspaces), size, most)
		}
	}
}
