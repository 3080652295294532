//go:build unix

package startup

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/opsplane/opsplane/infra/measure/bench"
)

// write writes every sample as a line of Go's benchmark format, for benchstat, and then a table
// for a reader.
func write(out io.Writer, results []result) error {
	w := bufio.NewWriter(out)
	_, _ = fmt.Fprintf(w, "goos: %s\ngoarch: %s\npkg: github.com/opsplane/opsplane/infra/local/startup\n", runtime.GOOS, runtime.GOARCH)
	if model := processor(); model != "" {
		_, _ = fmt.Fprintf(w, "cpu: %s\n", model)
	}
	for _, r := range results {
		writeSamples(w, r.function.Group+"/is=function", r.binary, r.samples)
		writeSamples(w, r.function.Group+"/is=reference", r.referenceBinary, r.referenceSamples)
	}
	_, _ = fmt.Fprintln(w)
	writeTable(w, results)
	return w.Flush()
}

// writeSamples adds the number of processors to the names, as package testing does. Tools
// remove an ending of that form.
func writeSamples(w io.Writer, name string, b binary, samples []time.Duration) {
	for _, s := range samples {
		_, _ = fmt.Fprintf(w, "BenchmarkStartup/%s-%d\t1\t%d ns/op\n", name, runtime.GOMAXPROCS(0), s.Nanoseconds())
	}
	_, _ = fmt.Fprintf(w, "BenchmarkSize/%s-%d\t1\t%d bytes\t%d zip-bytes\n", name, runtime.GOMAXPROCS(0), b.bytes, b.zipped)
}

func writeTable(w io.Writer, results []result) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(table, "function\tratio\t95 % of\tgoal\t\tmedian ms\tmiddle half\treference\tmedian ms\tmiddle half\t")
	for _, r := range results {
		ratio := bench.Relate(r.samples, r.referenceSamples)
		verdict := "met"
		if ratio.Value > r.goal {
			verdict = "MISSED"
		}
		_, _ = fmt.Fprintf(table, "%s\t%.2f\t%.2f-%.2f\t%.1f\t%s\t%s\t%s\t%s\t%s\t%s\t\n",
			r.function.Group, ratio.Value, ratio.Low, ratio.High, r.goal, verdict,
			milliseconds(bench.Median(r.samples)), middle(r.samples),
			r.reference, milliseconds(bench.Median(r.referenceSamples)), middle(r.referenceSamples))
	}
	_ = table.Flush()
	_, _ = fmt.Fprintf(w, "Start-up, exec to first poll, %d starts of each in turns; ratio of the medians, with its bootstrap interval.\n\n",
		len(results[0].samples))
	writeSizes(w, results)
}

func writeSizes(w io.Writer, results []result) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(table, "function\tratio\tbinary MB\tzip MB\treference\tbinary MB\tzip MB\t")
	for _, r := range results {
		_, _ = fmt.Fprintf(table, "%s\t%.2f\t%.2f\t%.2f\t%s\t%.2f\t%.2f\t\n",
			r.function.Group, float64(r.binary.bytes)/float64(r.referenceBinary.bytes), megabytes(r.binary.bytes), megabytes(r.binary.zipped),
			r.reference, megabytes(r.referenceBinary.bytes), megabytes(r.referenceBinary.zipped))
	}
	_ = table.Flush()
	_, _ = fmt.Fprintln(w, "Size, stripped and as a package; 1 MB is 10^6 bytes.")
}

func middle(samples []time.Duration) string {
	sorted := slices.Sorted(slices.Values(samples))
	return milliseconds(bench.Quantile(sorted, 0.25)) + "-" + milliseconds(bench.Quantile(sorted, 0.75))
}

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.2f", float64(d)/float64(time.Millisecond))
}

func megabytes(n int64) float64 { return float64(n) / 1e6 }

// processor returns the name of the processor, if the system states it.
func processor() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if name, value, found := strings.Cut(line, ":"); found && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
