package bench

import (
	"math/rand/v2"
	"slices"
	"time"
)

// Quantile returns the value below which the part q of the sorted samples lies. Between two
// samples it interpolates linearly.
func Quantile[T ~int64 | ~float64](sorted []T, q float64) T {
	at := q * float64(len(sorted)-1)
	low := int(at)
	high := min(low+1, len(sorted)-1)
	return sorted[low] + T((at-float64(low))*float64(sorted[high]-sorted[low]))
}

// Median returns the median of the samples. They need not be sorted, and it does not change
// them.
func Median(samples []time.Duration) time.Duration {
	return Quantile(slices.Sorted(slices.Values(samples)), 0.5)
}

// Ratio is the ratio of the medians of paired samples, with its 95 % confidence interval.
type Ratio struct{ Value, Low, High float64 }

// resamples is how often the bootstrap of the interval draws the pairs.
const resamples = 2000

// Relate returns the ratio of as to bs. Samples with the same index belong together. The draws
// are the same at every call, so equal samples give an equal result.
func Relate(as, bs []time.Duration) Ratio {
	random := rand.New(rand.NewPCG(1, 2))
	values := make([]float64, resamples)
	drawnA, drawnB := make([]time.Duration, len(as)), make([]time.Duration, len(bs))
	for i := range values {
		for j := range as {
			from := random.IntN(len(as))
			drawnA[j], drawnB[j] = as[from], bs[from]
		}
		values[i] = float64(Median(drawnA)) / float64(Median(drawnB))
	}
	slices.Sort(values)
	return Ratio{
		Value: float64(Median(as)) / float64(Median(bs)),
		Low:   Quantile(values, 0.025), High: Quantile(values, 0.975),
	}
}
