//go:build unix

package bench

import (
	"math/rand/v2"
	"slices"
	"time"
)

// quantile returns the value below which the part q of the sorted samples
// lies, between two samples in proportion.
func quantile[T ~int64 | ~float64](sorted []T, q float64) T {
	at := q * float64(len(sorted)-1)
	low := int(at)
	high := min(low+1, len(sorted)-1)
	return sorted[low] + T((at-float64(low))*float64(sorted[high]-sorted[low]))
}

func median(samples []time.Duration) time.Duration {
	return quantile(slices.Sorted(slices.Values(samples)), 0.5)
}

// ratio is how the medians of paired samples relate, and the interval in
// which that lies in 95 of 100 repetitions.
type ratio struct{ value, low, high float64 }

// resamples is how often the interval's bootstrap draws pairs anew.
const resamples = 2000

// relate compares as with bs; samples of one index belong together. The draws
// are the same at every call: equal samples give an equal answer.
func relate(as, bs []time.Duration) ratio {
	random := rand.New(rand.NewPCG(1, 2))
	values := make([]float64, resamples)
	drawnA, drawnB := make([]time.Duration, len(as)), make([]time.Duration, len(bs))
	for i := range values {
		for j := range as {
			from := random.IntN(len(as))
			drawnA[j], drawnB[j] = as[from], bs[from]
		}
		values[i] = float64(median(drawnA)) / float64(median(drawnB))
	}
	slices.Sort(values)
	return ratio{
		value: float64(median(as)) / float64(median(bs)),
		low:   quantile(values, 0.025), high: quantile(values, 0.975),
	}
}
