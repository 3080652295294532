//go:build unix

package startup

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/opsplane/opsplane/infra/test/template"
)

// Options say what is measured, and where the results go.
type Options struct {
	// Root is the repository.
	Root string
	// Starts is how often each binary is started. From 40 starts on the confidence interval is
	// useful.
	Starts int
	// Out receives the results: samples in the format of Go's benchmarks, then a table. Report
	// receives the progress, one line at a time.
	Out    io.Writer
	Report func(line string)
}

// result holds the measurements of one function.
type result struct {
	subject
	binary, referenceBinary   binary
	samples, referenceSamples []time.Duration
}

// Run builds the references and every function that the template declares, measures them, and
// writes the results. It fails if a function cannot be built or does not start. A missed goal
// is a result and not a failure.
func Run(ctx context.Context, o Options) error {
	t, err := template.Load(filepath.Join(o.Root, "template.yaml"), template.Options{})
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "opsplane-startup-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	results, err := build(ctx, recipe{root: o.Root, dir: dir}, subjects(t), o.Report)
	if err != nil {
		return err
	}
	for i := range results {
		r := &results[i]
		o.Report(fmt.Sprintf("starting %s and %s in turns, %d times each", r.function.Group, r.reference, o.Starts))
		r.samples, r.referenceSamples, err = pair(ctx, o.Starts,
			specification(r.function, r.binary.path), specification(r.function, r.referenceBinary.path))
		if err != nil {
			return err
		}
	}
	return write(o.Out, results)
}

func build(ctx context.Context, r recipe, list []subject, report func(string)) ([]result, error) {
	references := map[string]binary{}
	results := make([]result, 0, len(list))
	for _, s := range list {
		id, group := s.function.LogicalID, s.function.Group
		report("building " + group)
		made, err := r.function(ctx, id, group)
		if err != nil {
			return nil, err
		}
		if _, ok := references[s.reference]; !ok {
			report("building its reference, " + s.reference)
			if references[s.reference], err = r.reference(ctx, s.reference, id, group); err != nil {
				return nil, err
			}
		}
		results = append(results, result{subject: s, binary: made, referenceBinary: references[s.reference]})
	}
	return results, nil
}
