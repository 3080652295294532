package soak

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/opsplane/opsplane/infra/measure/soak/history"
	"github.com/opsplane/opsplane/infra/measure/soak/model"
	"github.com/opsplane/opsplane/shared/audit"
)

// drawLimit is the maximum time of the search for the longest explained beginning of a history,
// for the drawing.
const drawLimit = 5 * time.Second

// keep writes a history that broke the contract, as data and as a drawing, and returns the
// path.
func keep(folder, name string, ops []history.Operation, r model.Result) (string, error) {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", err
	}
	path := filepath.Join(folder, name)
	text, err := json.MarshalIndent(ops, "", " ")
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(path+".json", text, 0o644); err != nil {
		return "", err
	}
	return path + ".{json,html}", r.Draw(path+".html", drawLimit)
}

// keepTrail writes a history that does not agree with the audit trail, together with its
// records, and returns the path.
func keepTrail(folder, name string, ops []history.Operation, records []audit.Record) (string, error) {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", err
	}
	path := filepath.Join(folder, name+"-trail.json")
	text, err := json.MarshalIndent(map[string]any{"operations": ops, "records": records}, "", " ")
	if err != nil {
		return "", err
	}
	return path, os.WriteFile(path, text, 0o644)
}

// Progress returns one line about the progress of the soak.
func (c *Campaign) Progress() string {
	faults := 0
	for _, n := range c.Counts.Snapshot() {
		faults += n
	}
	return fmt.Sprintf("%s: %d operations checked in %d rounds, %d of unknown outcome, %d faults and kills, %d violations, %d rounds not checked",
		c.Name, c.checked.Load(), c.rounds.Load(), c.unknown.Load(), faults, c.Violations(), c.undecided.Load())
}

// Summary returns the results of the soak, in several lines.
func (c *Campaign) Summary() string {
	c.mu.Lock()
	actions := map[string]int{}
	for a, n := range c.actions {
		actions[string(a)] = n
	}
	c.mu.Unlock()
	text := fmt.Sprintf("%s\n  operations: %s\n  faults: %s\n", c.Progress(), list(actions), list(c.Counts.Snapshot()))
	if c.Trail != nil {
		text += fmt.Sprintf("  audit trail: %d records checked\n", c.audited.count())
	}
	if c.Collected != nil {
		text += fmt.Sprintf("  garbage: %s\n", list(c.Collected.Snapshot()))
	}
	return text
}

// list formats counts, the largest first.
func list(counts map[string]int) string {
	names := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		if counts[a] != counts[b] {
			return counts[b] - counts[a]
		}
		return strings.Compare(a, b)
	})
	for i, name := range names {
		names[i] = fmt.Sprintf("%s %d", name, counts[name])
	}
	return strings.Join(names, ", ")
}
