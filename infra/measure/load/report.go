package load

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"
	"time"
)

// Report holds the results of a run.
type Report struct {
	Connections int
	Duration    time.Duration
	// Operations are the operations by name, and then the requests that were refused because of
	// load.
	Operations []Operation
	// Failures are the first failed operations, as text.
	Failures []string

	samples []sample
}

// Operation is one kind of request. If only Refused is set, it is one reason for which requests
// were refused because of load and sent again.
type Operation struct {
	Name          string
	Count, Errors int
	Refused       int
	P50, P90, P99 time.Duration
	Max           time.Duration
}

func compare(a, b Operation) int {
	return cmp.Or(cmp.Compare(a.Refused, b.Refused), cmp.Compare(a.Name, b.Name))
}

// Errors returns the number of operations that failed.
func (r *Report) Errors() (n int) {
	for _, o := range r.Operations {
		n += o.Errors
	}
	return n
}

// Print writes the report as text.
func (r *Report) Print(w io.Writer) {
	total := 0
	for _, o := range r.Operations {
		total += o.Count
	}
	seconds := r.Duration.Seconds()
	fmt.Fprintf(w, "%d connections, %.0f s: %d requests answered, %.0f a second, %d errors\n\n",
		r.Connections, seconds, total, float64(total)/seconds, r.Errors())
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "operation\tcount\terrors\tp50\tp90\tp99\tmax\t ms\t")
	for _, o := range r.Operations {
		if o.Refused == 0 {
			fmt.Fprintf(t, "%s\t%d\t%d\t%s\t%s\t%s\t%s\t\t\n", o.Name, o.Count, o.Errors, ms(o.P50), ms(o.P90), ms(o.P99), ms(o.Max))
		}
	}
	_ = t.Flush()
	fmt.Fprintln(w)
	for _, o := range r.Operations {
		if o.Refused > 0 {
			fmt.Fprintf(w, "refused for load and sent again: %d %s\n", o.Refused, o.Name)
		}
	}
	for _, f := range r.Failures {
		fmt.Fprintln(w, "FAILED", f)
	}
	r.printMemory(w)
}

func ms(d time.Duration) string { return fmt.Sprintf("%.1f", float64(d.Microseconds())/1000) }

// Memory says how much memory the processes of one role held at two times.
type Memory struct {
	Role string
	// Then is the second minute of the run, and Now is the last minute.
	Then, Now Held
}

// Held is the mean of several samples.
type Held struct {
	Processes float64
	Each      float64 // bytes of one process
	Largest   int     // bytes of the largest process in any sample
}

// Memory compares the second minute of the run with the last minute. If the run ended in its
// second minute, both are that minute. It returns nothing if the run did not reach its second
// minute.
func (r *Report) Memory() []Memory {
	second := r.between(time.Minute, 2*time.Minute)
	last := r.between(max(r.Duration-time.Minute, time.Minute), r.Duration)
	if len(second) == 0 || len(last) == 0 {
		return nil
	}
	then, now := held(second), held(last)
	var list []Memory
	for _, role := range slices.Sorted(maps.Keys(now)) {
		list = append(list, Memory{Role: role, Then: then[role], Now: now[role]})
	}
	return list
}

func (r *Report) between(from, to time.Duration) (found []sample) {
	for _, s := range r.samples {
		if s.at >= from && s.at <= to && len(s.processes) > 0 {
			found = append(found, s)
		}
	}
	return found
}

// held averages samples by role.
func held(samples []sample) map[string]Held {
	count, bytes := map[string]int{}, map[string]int{}
	out := map[string]Held{}
	for _, s := range samples {
		for _, p := range s.processes {
			count[p.role]++
			bytes[p.role] += p.resident
			h := out[p.role]
			h.Largest = max(h.Largest, p.resident)
			out[p.role] = h
		}
	}
	for role, n := range count {
		h := out[role]
		h.Processes, h.Each = float64(n)/float64(len(samples)), float64(bytes[role])/float64(n)
		out[role] = h
	}
	return out
}

func (r *Report) printMemory(w io.Writer) {
	memory := r.Memory()
	if len(memory) == 0 {
		fmt.Fprintln(w, "\nmemory: no samples (they need /proc, and more than a minute)")
		return
	}
	const mb = 1 << 20
	fmt.Fprintln(w, "\nmemory of a process in MB (mean, largest): second minute and last minute")
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "role\tprocesses\tmean\tlargest\tprocesses\tmean\tlargest\tgrowth of the mean\t")
	for _, m := range memory {
		growth := "new"
		if m.Then.Each > 0 {
			growth = fmt.Sprintf("%+.0f %%", 100*(m.Now.Each/m.Then.Each-1))
		}
		fmt.Fprintf(t, "%s\t%.0f\t%.1f\t%.1f\t%.0f\t%.1f\t%.1f\t%s\t\n", m.Role,
			m.Then.Processes, m.Then.Each/mb, float64(m.Then.Largest)/mb, m.Now.Processes, m.Now.Each/mb, float64(m.Now.Largest)/mb, growth)
	}
	_ = t.Flush()
	fmt.Fprintln(w, "\nmemory by minute in MB, all processes of a role together")
	t = tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(t, "minute\t")
	for _, m := range memory {
		fmt.Fprintf(t, "%s\t", m.Role)
	}
	fmt.Fprintln(t)
	for minute := range int(r.Duration/time.Minute) + 1 {
		samples := r.between(time.Duration(minute)*time.Minute, time.Duration(minute+1)*time.Minute)
		if len(samples) == 0 {
			continue
		}
		by := held(samples)
		fmt.Fprintf(t, "%d\t", minute+1)
		for _, m := range memory {
			fmt.Fprintf(t, "%.0f\t", by[m.Role].Processes*by[m.Role].Each/mb)
		}
		fmt.Fprintln(t)
	}
	_ = t.Flush()
}
