package requestlog_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/opsplane/opsplane/infra/local/requestlog"
)

// screen receives the output of a process.
type screen struct{ bytes.Buffer }

func (*screen) Close() error { return nil }

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestLinesOfRequestsAreKeptAndEverythingIsHandedOn(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "requests.log")
	log, err := requestlog.Open(path, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	var s screen
	w := log.Tee(&s)
	const output = "starting\n{\"gateway_request_id\":\"a\",\"status\":403}\n{\"msg\":\"other\"}\n{\"gateway_request_id\":\"b\"}\nlast"
	for _, part := range []string{output[:20], output[20:30], output[30:]} {
		if n, err := fmt.Fprint(w, part); err != nil || n != len(part) {
			t.Fatal(n, err)
		}
	}
	if s.String() != output {
		t.Errorf("handed on %q", s.String())
	}
	if got, want := read(t, path), "{\"gateway_request_id\":\"a\",\"status\":403}\n{\"gateway_request_id\":\"b\"}\n"; got != want {
		t.Errorf("kept %q, want %q", got, want)
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	if n, err := fmt.Fprintln(w, `{"gateway_request_id":"late"}`); err != nil || n == 0 {
		t.Errorf("a process that ends after the log: %v", err)
	}
}

func TestLinesThatAreTooLongArePassedOverAsAWhole(t *testing.T) {
	t.Parallel()
	const first, last = "{\"gateway_request_id\":\"a\"}\n", "{\"gateway_request_id\":\"b\"}\n"
	long := "{\"gateway_request_id\":\"" + strings.Repeat("x", 200<<10) + "\",\"gateway_request_id\":\"tail\"}\n"
	for name, size := range map[string]int{"at once": 1 << 20, "in large parts": 70 << 10, "in small parts": 4 << 10, "byte by byte": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "requests.log")
			log, err := requestlog.Open(path, 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			defer log.Close()
			var s screen
			w := log.Tee(&s)
			output := first + long + last
			for part := range slices.Chunk([]byte(output), size) {
				if _, err := w.Write(part); err != nil {
					t.Fatal(err)
				}
			}
			if got := read(t, path); got != first+last {
				t.Errorf("kept %d bytes, %.200q; want the first and the last line", len(got), got)
			}
			if s.String() != output {
				t.Errorf("handed on %d bytes, want %d", s.Len(), len(output))
			}
		})
	}
}

func TestFilesStayBounded(t *testing.T) {
	t.Parallel()
	const limit = 1000
	path := filepath.Join(t.TempDir(), "requests.log")
	for range 3 { // as by three runs of a stack
		log, err := requestlog.Open(path, limit)
		if err != nil {
			t.Fatal(err)
		}
		var writers sync.WaitGroup
		for process := range 4 {
			writers.Go(func() {
				w := log.Tee(&screen{})
				for i := range 50 {
					fmt.Fprintf(w, "{\"gateway_request_id\":\"%d-%02d\"}\n", process, i)
				}
			})
		}
		writers.Wait()
		if err := log.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{path, path + ".1"} {
		info, err := os.Stat(name)
		if err != nil || info.Size() > limit+100 || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
		for line := range strings.Lines(read(t, name)) {
			if !strings.HasPrefix(line, `{"gateway_request_id":"`) || !strings.HasSuffix(line, "\"}\n") {
				t.Errorf("a broken line: %q", line)
			}
		}
	}
}
