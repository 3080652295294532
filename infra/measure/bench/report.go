package bench

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// WriteTable writes comparisons with the ratio first, then the results without a reference.
func WriteTable(w io.Writer, results []Result) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(table, "ratio\t95 % of\tgoal\t\tof\twhat\tmedian\trate\tbeside\tmedian\trate\t")
	for _, r := range results {
		if r.Reference == "" {
			continue
		}
		ratio, of := r.Ratio(), "times"
		if r.Rate {
			of = "rates"
		}
		_, _ = fmt.Fprintf(table, "%.2f\t%.2f-%.2f\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t\n", ratio.Value, ratio.Low, ratio.High, r.verdict(), of,
			r.Name+", "+r.Subject, span(Median(r.Subjects)), r.rate(r.Subjects),
			r.Reference, span(Median(r.References)), r.rate(r.References))
	}
	_ = table.Flush()
	_, _ = fmt.Fprint(w, "Medians of samples taken in turns; their ratio with its bootstrap interval.\n\n")
	table = tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(table, "rate\ttime of one\twhat\t")
	for _, r := range results {
		if r.Reference == "" {
			_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t\n", r.rate(r.Subjects), span(Median(r.Subjects)/time.Duration(r.Work)), r.Name+", "+r.Subject)
		}
	}
	_ = table.Flush()
}

// verdict returns two columns: the goal, and whether it was met.
func (r Result) verdict() string {
	switch {
	case r.Goal == 0:
		return "\t"
	case r.Met():
		return fmt.Sprintf("%.2f\tmet", r.Goal)
	}
	return fmt.Sprintf("%.2f\tMISSED", r.Goal)
}

// rate returns the work in a second: bytes if they are known, else units if they have a name.
func (r Result) rate(samples []time.Duration) string {
	took := Median(samples)
	switch {
	case r.Bytes > 0:
		return fmt.Sprintf("%.0f MB/s", megabytesPerSecond(r.Bytes, took))
	case r.Unit != "":
		return fmt.Sprintf("%.0f %ss/s", float64(r.Work)/took.Seconds(), r.Unit)
	}
	return ""
}

// span formats a time with three significant digits.
func span(d time.Duration) string {
	switch {
	case d < 100*time.Microsecond:
		return fmt.Sprintf("%.1f µs", float64(d)/1e3)
	case d < time.Millisecond:
		return fmt.Sprintf("%.0f µs", float64(d)/1e3)
	case d < 100*time.Millisecond:
		return fmt.Sprintf("%.2f ms", float64(d)/1e6)
	case d < time.Second:
		return fmt.Sprintf("%.0f ms", float64(d)/1e6)
	}
	return fmt.Sprintf("%.2f s", d.Seconds())
}
