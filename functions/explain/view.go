package main

import (
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/opsplane/opsplane/shared/api/timestamp"
	"github.com/opsplane/opsplane/shared/evaluation/decide"
	"github.com/opsplane/opsplane/shared/evaluation/evaluator"
	"github.com/opsplane/opsplane/shared/evaluation/rules"
	"github.com/opsplane/opsplane/shared/repoconfig"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// explanation is the response to a request for one.
type explanation struct {
	about
	State      rules.State `json:"state"`
	Draft      bool        `json:"draft"`
	Fork       bool        `json:"fork"`
	BaseBranch string      `json:"base_branch"`
	BaseRef    string      `json:"base_ref"`
	Branch     string      `json:"branch"`
	BranchRef  string      `json:"branch_ref"`
	Mergeable  string      `json:"mergeable"`
	Blocks     []block     `json:"blocks"`
	Mistakes   []mistake   `json:"mistakes"`
	// Layers is the number of layers of the change.
	Layers int `json:"layers"`
	// Dirspaces are objects of type explained. Omitted is the number of those that no
	// response could carry.
	Dirspaces []json.RawMessage `json:"dirspaces"`
	Omitted   int               `json:"dirspaces_omitted,omitempty"`
	// OtherFiles are the first changed files that lie in no directory that is known.
	OtherFiles        []string `json:"other_files"`
	OtherFilesOmitted int      `json:"other_files_omitted,omitempty"`
}

// about is what responses show of a pull request.
type about struct {
	Owner      string `json:"owner"`
	Repo       string `json:"repo"`
	RepoID     vcs.ID `json:"repo_id"`
	PullNumber int64  `json:"pull_number"`
	Title      string `json:"title"`
	User       string `json:"user"`
}

func aboutOf(of vcs.ID, number int64, a evaluator.About) about {
	return about{Owner: a.Owner, Repo: a.Name, RepoID: of, PullNumber: number, Title: a.Title, User: a.Author}
}

// position is a place in a file of the configuration.
type position struct {
	File string `json:"file"`
	Line int    `json:"line,omitempty"`
}

// positionOf returns nil for the place of a default.
func positionOf(p repoconfig.Position) *position {
	if p.File == "" {
		return nil
	}
	return &position{p.File, p.Line}
}

type mistake struct {
	At      *position `json:"at,omitempty"`
	Path    string    `json:"path,omitempty"`
	Problem string    `json:"problem"`
}

// block is something that is in the way, with the way out.
type block struct {
	ID      decide.Refusal `json:"id"`
	Text    string         `json:"text"`
	WayOut  string         `json:"way_out"`
	Command string         `json:"command,omitempty"`
	// The rest is about what is in the way: a run, or a pull request.
	WorkManifestID run.ID           `json:"work_manifest_id,omitempty"`
	PullNumber     int64            `json:"pull_number,omitempty"`
	Title          string           `json:"title,omitempty"`
	User           string           `json:"user,omitempty"`
	Since          string           `json:"since,omitempty"`
	Reason         rules.LockReason `json:"reason,omitempty"`
}

func blocksOf(list []evaluator.Block) []block {
	made := make([]block, len(list))
	for i, b := range list {
		made[i] = block{
			ID: b.Rule, Text: b.Text, WayOut: b.WayOut, Command: b.Command, WorkManifestID: b.By.Run, PullNumber: numberOf(b.By.Origin),
			Title: b.Title, User: b.Author, Since: timestamp.Format(b.Since), Reason: b.Reason,
		}
	}
	return made
}

// numberOf returns the number of a pull request, or 0.
func numberOf(of run.Origin) int64 {
	number, _ := of.PullRequest()
	return number
}

// explained is a dirspace in the response.
type explained struct {
	Dir         string    `json:"dir"`
	Workspace   string    `json:"workspace"`
	Planned     bool      `json:"planned"`
	Why         string    `json:"why"`
	At          *position `json:"at,omitempty"`
	Tags        []string  `json:"tags"`
	Stack       string    `json:"stack,omitempty"`
	Workflow    *position `json:"workflow,omitempty"`
	Environment string    `json:"environment,omitempty"`
	Autoplan    bool      `json:"autoplan"`

	// The rest is there only if it is planned.
	Layer        int           `json:"layer,omitempty"`
	Applied      *bool         `json:"applied,omitempty"`
	Plan         *plan         `json:"plan,omitempty"`
	Requirements *requirements `json:"requirements,omitempty"`
	Blocks       []block       `json:"blocks,omitempty"`
}

// plan says whether there is a plan to apply.
type plan struct {
	State          string `json:"state"`
	WorkManifestID run.ID `json:"work_manifest_id,omitempty"`
	PullNumber     int64  `json:"pull_number,omitempty"`
}

// requirements are those of an apply. At is absent if no entry matches the dirspace, or if
// the entry is the default.
type requirements struct {
	At              *position     `json:"at,omitempty"`
	Met             bool          `json:"met"`
	Approved        rules.Outcome `json:"approved,omitempty"`
	MergeConflicts  rules.Outcome `json:"merge_conflicts,omitempty"`
	StatusChecks    rules.Outcome `json:"status_checks,omitempty"`
	ApplyAfterMerge rules.Outcome `json:"apply_after_merge,omitempty"`
	ReadyForReview  rules.Outcome `json:"ready_for_review,omitempty"`
}

func explainedOf(e *evaluator.Explained) explained {
	row := explained{
		Dir: e.Dir, Workspace: e.Dirspace.Workspace, Planned: e.Planned, Why: e.Why, At: positionOf(e.At), Tags: e.Tags, Stack: e.Stack,
		Workflow: positionOf(e.Workflow), Environment: e.Environment, Autoplan: e.Autoplan,
	}
	if row.Tags == nil {
		row.Tags = []string{}
	}
	if !e.Planned {
		return row
	}
	row.Layer, row.Applied, row.Blocks = e.Layer, &e.Applied, blocksOf(e.Blocks)
	row.Plan = &plan{strings.ReplaceAll(string(e.Plan), " ", "_"), e.By.Run, numberOf(e.By.Origin)}
	if r := e.Requirement; r != nil {
		row.Requirements = &requirements{positionOf(r.At), r.Met(), r.Approved, r.MergeConflicts, r.StatusChecks, r.ApplyAfterMerge, r.ReadyForReview}
	}
	return row
}

// Limits of a response.
const (
	// maxBytes bounds the dirspaces, in bytes of JSON. Lambda takes 6 MB.
	maxBytes = 4 << 20
	// maxOtherFiles is the largest number of other files.
	maxOtherFiles = 100
)

var mergeable = map[vcshost.Mergeability]string{vcshost.MergePossible: "yes", vcshost.MergeConflict: "no", vcshost.MergeUnknown: "unknown"}

func explanationOf(q explaining, found evaluator.Explanation) (explanation, error) {
	pr := found.PullRequest
	made := explanation{
		about: aboutOf(q.repository, q.number, found.About), State: found.State, Draft: pr.Draft, Fork: found.Fork, Mergeable: mergeable[pr.Merge],
		BaseBranch: pr.BaseBranch, BaseRef: pr.BaseSHA, Branch: pr.Branch, BranchRef: pr.SHA,
		Blocks: blocksOf(found.Blocks), Mistakes: []mistake{}, Layers: found.Layers, Dirspaces: []json.RawMessage{}, OtherFiles: []string{},
	}
	for _, m := range found.Mistakes {
		made.Mistakes = append(made.Mistakes, mistake{positionOf(m.At), m.Path, m.Problem})
	}
	touched := touchedBy(found.Changed)
	shown := slices.DeleteFunc(slices.Clone(found.Dirspaces), func(d evaluator.Explained) bool { return !q.all && !d.Planned && !touched[d.Dir] })
	var err error
	if made.Dirspaces, made.Omitted, err = fitting(shown); err != nil {
		return explanation{}, err
	}
	if found.Dirspaces == nil {
		return made, nil
	}
	others := outside(found.Changed, found.Dirspaces)
	made.OtherFiles = append(made.OtherFiles, others[:min(len(others), maxOtherFiles)]...)
	made.OtherFilesOmitted = len(others) - len(made.OtherFiles)
	return made, nil
}

// fitting returns the dirspaces as JSON. What does not fit is counted: first go those that
// are not planned.
func fitting(list []evaluator.Explained) (rows []json.RawMessage, omitted int, err error) {
	texts, left := make([]json.RawMessage, len(list)), maxBytes
	for _, planned := range []bool{true, false} {
		for i := range list {
			if list[i].Planned != planned {
				continue
			}
			text, err := json.Marshal(explainedOf(&list[i]))
			if err != nil {
				return nil, 0, fmt.Errorf("encode explanation of %s: %w", list[i].Dirspace.Dirspace, err)
			}
			if left -= len(text); left >= 0 {
				texts[i] = text
			}
		}
	}
	rows = slices.DeleteFunc(texts, func(t json.RawMessage) bool { return t == nil })
	return rows, len(list) - len(rows), nil
}

// touchedBy returns the directories in which files lie, and those above them. The directory
// "." has only its own files: all others lie below it.
func touchedBy(files []string) map[string]bool {
	made := map[string]bool{}
	for _, f := range files {
		dir := path.Dir(f)
		made[dir] = true
		for ; dir != "." && dir != "/"; dir = path.Dir(dir) {
			made[dir] = true
		}
	}
	return made
}

// outside returns the files that lie in no directory of a list, and below none but ".".
func outside(files []string, list []evaluator.Explained) []string {
	known := make(map[string]bool, len(list))
	for _, d := range list {
		known[d.Dir] = true
	}
	return slices.DeleteFunc(slices.Clone(files), func(f string) bool {
		dir := path.Dir(f)
		if known[dir] {
			return true
		}
		for ; dir != "." && dir != "/"; dir = path.Dir(dir) {
			if known[dir] {
				return true
			}
		}
		return false
	})
}
