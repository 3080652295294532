package bench

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"time"
)

// Result holds measurements and their goal: see Comparison. A result without a reference is a
// rate.
type Result struct {
	Name, Subject, Reference string
	Goal                     float64
	Rate                     bool
	Work                     int
	Unit                     string
	Bytes                    int64
	// Samples with the same index belong together. Each is the time of Work units.
	Subjects, References []time.Duration
}

// Ratio returns the ratio of the subject to the reference: of their times, or with Rate of
// their rates.
func (r Result) Ratio() Ratio {
	if r.Rate {
		return Relate(r.References, r.Subjects)
	}
	return Relate(r.Subjects, r.References)
}

// Met reports whether the ratio is within the goal.
func (r Result) Met() bool {
	if r.Rate {
		return r.Ratio().Value >= r.Goal
	}
	return r.Ratio().Value <= r.Goal
}

// WriteSamples writes every sample as a line of Go's benchmark format. The names end with the
// number of processors, as package testing writes them, because tools remove an ending of that
// form.
func (r Result) WriteSamples(w io.Writer) {
	r.writeSide(w, r.Subject, r.Subjects)
	if r.Reference != "" {
		r.writeSide(w, r.Reference, r.References)
	}
}

func (r Result) writeSide(w io.Writer, side string, samples []time.Duration) {
	for _, s := range samples {
		_, _ = fmt.Fprintf(w, "Benchmark%s/is=%s-%d\t%d\t%.0f ns/op", r.Name, side, runtime.GOMAXPROCS(0), r.Work, float64(s)/float64(r.Work))
		if r.Bytes > 0 {
			_, _ = fmt.Fprintf(w, "\t%.2f MB/s", megabytesPerSecond(r.Bytes, s))
		}
		_, _ = fmt.Fprintln(w)
	}
}

func megabytesPerSecond(bytes int64, took time.Duration) float64 {
	return float64(bytes) / 1e6 / took.Seconds()
}

// Read reads the results that benchmarks have appended to a file. It returns none if the file
// does not exist.
func Read(path string) ([]Result, error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	var results []Result
	for decoder := json.NewDecoder(bufio.NewReader(file)); ; {
		var r Result
		err := decoder.Decode(&r)
		if errors.Is(err, io.EOF) {
			return results, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read results: %w", err)
		}
		results = append(results, r)
	}
}
