package testrunner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// StandIn makes the same reports where neither Terraform nor OpenTofu is installed. It
// understands no more than the files of the demo: blocks that begin in the first column,
// outputs that are texts, and the one false precondition. What it prints says that it is
// a stand-in.
type StandIn struct{}

// Name implements Engine.
func (StandIn) Name() string { return "a stand-in, because neither terraform nor tofu is installed" }

const standInNote = "A stand-in has made this: neither terraform nor tofu is installed.\n"

// Init implements Engine. There is nothing to prepare.
func (StandIn) Init(context.Context, place) (string, error) { return standInNote, nil }

// errPrecondition is that of a resource whose precondition is false.
var errPrecondition = errors.New("resource precondition failed")

// future is a plan of the stand-in: what the state will be.
type future struct {
	Resources map[string]string `json:"resources"` // text by address
	Outputs   map[string]any    `json:"outputs"`
}

// Plan implements Engine.
func (StandIn) Plan(_ context.Context, at place) (Planned, error) {
	next, err := readBlocks(at.dir)
	if err != nil {
		text := err.Error()
		return Planned{Text: standInNote + "Error: " + strings.ToUpper(text[:1]) + text[1:] + "\n"}, err
	}
	now, err := at.read()
	if err != nil {
		return Planned{}, err
	}
	text, counts := compare(now.Resources, next.Resources)
	changes := counts != [3]int{}
	if !changes {
		text = "\nNo changes. Your infrastructure matches the configuration.\n"
	} else {
		text += fmt.Sprintf("\nPlan: %d to add, %d to change, %d to destroy.\n", counts[0], counts[1], counts[2])
	}
	encoded, err := json.Marshal(next)
	if err == nil {
		err = os.WriteFile(at.plan, encoded, 0o600)
	}
	return Planned{standInNote + text, changes}, err
}

// compare returns the text of a plan, and how many resources it adds, changes and destroys.
func compare(now, next map[string]string) (text string, counts [3]int) {
	all := maps.Clone(now)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, next)
	var b strings.Builder
	for _, address := range slices.Sorted(maps.Keys(all)) {
		before, was := now[address]
		after, will := next[address]
		switch {
		case !was:
			counts[0]++
			fmt.Fprintf(&b, "\n  # %s will be created\n  + %s\n", address, after)
		case !will:
			counts[2]++
			fmt.Fprintf(&b, "\n  # %s will be destroyed\n  - %s\n", address, before)
		case before != after:
			counts[1]++
			fmt.Fprintf(&b, "\n  # %s will be updated in-place\n  ~ %s\n", address, after)
		}
	}
	return b.String(), counts
}

// Apply implements Engine.
func (StandIn) Apply(_ context.Context, at place) (Applied, error) {
	now, err := at.read()
	if err != nil {
		return Applied{}, err
	}
	encoded, err := os.ReadFile(at.plan)
	if err != nil {
		return Applied{}, err
	}
	var next future
	if err := json.Unmarshal(encoded, &next); err != nil {
		return Applied{}, fmt.Errorf("read plan: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(at.standInState()), 0o700); err != nil {
		return Applied{}, err
	}
	if err := os.WriteFile(at.standInState(), encoded, 0o600); err != nil {
		return Applied{}, err
	}
	_, counts := compare(now.Resources, next.Resources)
	text := fmt.Sprintf("\nApply complete! Resources: %d added, %d changed, %d destroyed.\n", counts[0], counts[1], counts[2])
	return Applied{standInNote + text, next.Outputs}, nil
}

// standInState returns the file of the state.
func (at place) standInState() string {
	folder := at.state
	if folder == "" {
		folder = at.dir
	}
	return filepath.Join(folder, "stand-in", at.Workspace+".json")
}

// read returns the state.
func (at place) read() (future, error) {
	var now future
	encoded, err := os.ReadFile(at.standInState())
	if errors.Is(err, fs.ErrNotExist) {
		return now, nil
	}
	if err != nil {
		return now, err
	}
	return now, json.Unmarshal(encoded, &now)
}

// Blocks of the language of Terraform, as far as the stand-in reads them.
var (
	resourceBlock = regexp.MustCompile(`(?ms)^resource "([^"]+)" "([^"]+)" \{\n.*?^\}`)
	outputBlock   = regexp.MustCompile(`(?ms)^output "([^"]+)" \{\n(.*?)^\}`)
	outputValue   = regexp.MustCompile(`(?m)^\s*value\s*=\s*(.*)$`)
	isSensitive   = regexp.MustCompile(`(?m)^\s*sensitive\s*=\s*true`)
	isFalse       = regexp.MustCompile(`(?m)^\s*condition\s*=\s*terraform\.workspace == "none"`)
)

// readBlocks reads the files of a directory.
func readBlocks(dir string) (future, error) {
	next := future{Resources: map[string]string{}, Outputs: map[string]any{}}
	files, err := filepath.Glob(filepath.Join(dir, "*.tf"))
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("%s has no configuration files", filepath.Base(dir))
	}
	if err != nil {
		return next, err
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return next, err
		}
		for _, m := range resourceBlock.FindAllStringSubmatch(string(text), -1) {
			if isFalse.MatchString(m[0]) {
				return next, errPrecondition
			}
			next.Resources[m[1]+"."+m[2]] = m[0]
		}
		for _, m := range outputBlock.FindAllStringSubmatch(string(text), -1) {
			value := ""
			if v := outputValue.FindStringSubmatch(m[2]); v != nil {
				value = strings.Trim(v[1], `"`)
			}
			next.Outputs[m[1]] = map[string]any{"sensitive": isSensitive.MatchString(m[2]), "type": "string", "value": value}
		}
	}
	return next, nil
}
