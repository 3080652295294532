package bench

import (
	"testing"
	"time"
)

func TestQuantileLiesBetweenSamples(t *testing.T) {
	sorted := []time.Duration{10, 20, 30, 40}
	for q, want := range map[float64]time.Duration{0: 10, 0.5: 25, 1: 40, 0.25: 17} {
		if got := Quantile(sorted, q); got != want {
			t.Errorf("quantile %v: got %d, want %d", q, got, want)
		}
	}
	if got := Quantile([]time.Duration{7}, 0.5); got != 7 {
		t.Errorf("of one sample: got %d, want 7", got)
	}
}

func TestMedianDoesNotSortItsSamples(t *testing.T) {
	samples := []time.Duration{3, 1, 2}
	if got := Median(samples); got != 2 || samples[0] != 3 {
		t.Errorf("got %d and %v, want 2 and the samples as they were", got, samples)
	}
}

func TestRatioOfPairedSamples(t *testing.T) {
	var as, bs []time.Duration
	for i := range 50 {
		b := time.Duration(100 + 2*i)
		as, bs = append(as, 2*b), append(bs, b)
	}
	got := Relate(as, bs)
	if got.Value != 2 || got.Low != 2 || got.High != 2 {
		t.Errorf("samples that are exactly twice as long: got %v, want 2 without spread", got)
	}
	as[0], as[1], as[2] = 9000, 9000, 9000
	got = Relate(as, bs)
	if got.Value < 1.9 || got.Value > 2.2 || got.Low > got.Value || got.High < got.Value {
		t.Errorf("three outliers of fifty: got %v, want about 2 inside its interval", got)
	}
	if again := Relate(as, bs); again != got {
		t.Errorf("the same samples gave %v, then %v", got, again)
	}
}
