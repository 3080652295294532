package load

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestQuantileIsAValueThatWasMeasured(t *testing.T) {
	t.Parallel()
	var ten []time.Duration
	for n := range 10 {
		ten = append(ten, time.Duration(n+1))
	}
	for _, c := range []struct {
		of   []time.Duration
		q    float64
		want time.Duration
	}{
		{ten, 0.5, 5}, {ten, 0.9, 9}, {ten, 0.99, 10}, {ten, 1, 10}, {ten[:1], 0.5, 1}, {nil, 0.5, 0},
	} {
		if got := quantile(c.of, c.q); got != c.want {
			t.Errorf("%v of %d values: got %d, want %d", c.q, len(c.of), got, c.want)
		}
	}
}

// at returns a sample with two instances of a function, and a server.
func at(minutes float64, instance, server int) sample {
	return sample{at: time.Duration(minutes * float64(time.Minute)), processes: []process{
		{pid: 1, role: "function kv", resident: instance}, {pid: 2, role: "function kv", resident: instance + 2}, {pid: 3, role: "server", resident: server},
	}}
}

func TestMemoryComparesTheSecondMinuteWithTheLast(t *testing.T) {
	t.Parallel()
	r := &Report{Duration: 10 * time.Minute, samples: []sample{
		at(0.5, 1, 1), at(1.2, 10, 100), at(1.8, 20, 100), at(5, 500, 500), at(9.1, 30, 200), at(10, 40, 300),
	}}
	got := r.Memory()
	want := []Memory{
		{Role: "function kv", Then: Held{2, 16, 22}, Now: Held{2, 36, 42}},
		{Role: "server", Then: Held{1, 100, 100}, Now: Held{1, 250, 300}},
	}
	if len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("got %+v, want %+v", got, want)
	}
	r.Duration = 30 * time.Second
	if got := r.Memory(); got != nil {
		t.Errorf("half a minute: got %+v, want nothing", got)
	}
}

func TestReportNamesWhatFailedAndWhatWasRefused(t *testing.T) {
	t.Parallel()
	l := newLedger()
	l.done("get", 2*time.Millisecond)
	l.done("get", 4*time.Millisecond)
	l.refuse("NO_ANSWER")
	l.fail("set", errors.New("lost"))
	r := &Report{Connections: 2, Duration: 2 * time.Second, Operations: l.operations(), Failures: l.failures()}
	if r.Errors() != 1 {
		t.Errorf("got %d errors, want 1", r.Errors())
	}
	var out bytes.Buffer
	r.Print(&out)
	for _, want := range []string{"2 requests answered, 1 a second, 1 errors", "get      2", "set      0       1", "refused for load and sent again: 1 NO_ANSWER", "set: lost"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("got\n%s\nwant %q in it", out.String(), want)
		}
	}
}

// This process is in the family of a folder, because it holds the folder's lock.
func TestFamilyIsWhoHoldsTheLock(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/proc/self/status"); err != nil {
		t.Log("no /proc here: memory is not sampled")
		return
	}
	state := t.TempDir()
	if got := family(state); len(got) != 0 {
		t.Errorf("nobody's lock: got %+v", got)
	}
	lock, err := os.Create(filepath.Join(state, "lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lock.Close() }()
	for _, p := range family(state) {
		if p.pid == os.Getpid() {
			if p.resident < 1<<20 || p.role == "" {
				t.Errorf("got %+v, want this process's memory and name", p)
			}
			return
		}
	}
	t.Error("this process holds the lock and is not found")
}
