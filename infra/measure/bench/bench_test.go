package bench

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestSidesAreMeasuredInTurns(t *testing.T) {
	t.Parallel()
	var order []string
	side := func(name string) Side {
		return Side{
			Name:   name,
			Before: func() error { order = append(order, "before "+name); return nil },
			Do:     func() error { order = append(order, name); return nil },
		}
	}
	subjects, references, err := Comparison{Subject: side("a"), Reference: side("b"), Samples: 2, Calls: 2}.run()
	if err != nil || len(subjects) != 2 || len(references) != 2 {
		t.Fatalf("got %v, %v, %v; want two samples of each", subjects, references, err)
	}
	did := slices.DeleteFunc(slices.Clone(order), func(s string) bool { return strings.HasPrefix(s, "before") })
	if got, want := strings.Join(did, " "), "a b b a a b a b b a"; got != want {
		t.Errorf("got the order %s, want %s", got, want)
	}
	for i := 0; i < len(order); i += 2 {
		if order[i] != "before "+order[i+1] {
			t.Fatalf("got %q, want each call right behind its preparation", order)
		}
	}
}

func TestOnlyTheCallIsMeasured(t *testing.T) {
	t.Parallel()
	const long = 50 * time.Millisecond
	slow := Side{Name: "slow to prepare", Before: func() error { time.Sleep(long); return nil }, Do: func() error { return nil }}
	took, _, err := Comparison{Subject: slow, Reference: slow, Samples: 1}.run()
	if err != nil || took[0] >= long {
		t.Errorf("got %v, %v; want less than the preparation takes", took, err)
	}
}

func TestFailureNamesItsSide(t *testing.T) {
	t.Parallel()
	cause := errors.New("no table")
	good := Side{Name: "good", Do: func() error { return nil }}
	for _, bad := range []Side{
		{Name: "bad", Do: func() error { return cause }},
		{Name: "bad", Before: func() error { return cause }, Do: good.Do},
	} {
		if _, _, err := (Comparison{Subject: good, Reference: bad, Samples: 1}).run(); !errors.Is(err, cause) || !strings.HasPrefix(err.Error(), "bad: ") {
			t.Errorf("got %v, want the cause and the side", err)
		}
	}
}

// compared is a comparison in which the subject takes twice as long.
var compared = Result{
	Name: "Set", Subject: "handler", Reference: "raw", Goal: 1.15, Work: 10, Unit: "row", Bytes: 1e6,
	Subjects: []time.Duration{2e6, 2e6, 2e6}, References: []time.Duration{1e6, 1e6, 1e6},
}

func TestGoalOfRatesIsTheOtherWayAround(t *testing.T) {
	t.Parallel()
	if r := compared.Ratio(); r.Value != 2 || compared.Met() {
		t.Errorf("times: got %v, met %t; want 2, missed", r, compared.Met())
	}
	rates := compared
	if rates.Rate, rates.Goal = true, 0.5; rates.Ratio().Value != 0.5 || !rates.Met() {
		t.Errorf("rates: got %v, met %t; want 0.5, met", rates.Ratio(), rates.Met())
	}
	if rates.Goal = 0.95; rates.Met() {
		t.Error("rates: 0.5 meets 0.95")
	}
}

func TestReportHasSamplesForToolsAndVerdictsForReaders(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	compared.WriteSamples(&text)
	if got := strings.Count(text.String(), "BenchmarkSet/is=handler-") + strings.Count(text.String(), "BenchmarkSet/is=raw-"); got != 6 {
		t.Errorf("got %d samples, want 6:\n%s", got, text.String())
	}
	if want := "\t10\t200000 ns/op\t500.00 MB/s\n"; !strings.Contains(text.String(), want) {
		t.Errorf("%q is missing in:\n%s", want, text.String())
	}
	alone := compared
	alone.Name, alone.Reference, alone.References, alone.Bytes = "Tokens", "", nil, 0
	text.Reset()
	WriteTable(&text, []Result{compared, alone})
	for _, want := range []string{"2.00", "MISSED", "1000 MB/s", "5000 rows/s", "200 µs  Tokens"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("%q is missing in:\n%s", want, text.String())
		}
	}
}

func TestResultsAreKeptInAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "samples")
	if got, err := Read(path); err != nil || len(got) != 0 {
		t.Errorf("no file: got %v, %v", got, err)
	}
	t.Setenv("BENCH_SAMPLES", path)
	for range 2 {
		testing.Benchmark(func(b *testing.B) {
			Record(b, compared)
		})
	}
	got, err := Read(path)
	if err != nil || len(got) < 2 || got[0].Name != "Set" || len(got[0].Subjects) != 3 {
		t.Errorf("got %+v, %v; want what was recorded", got, err)
	}
}
