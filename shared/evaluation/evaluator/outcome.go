package evaluator

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/opsplane/opsplane/shared/evaluation/rules"
	"github.com/opsplane/opsplane/shared/evaluation/texts"
	"github.com/opsplane/opsplane/shared/repoconfig"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/manifest"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// outcome collects what one evaluation decides: what is remembered, and the effects.
type outcome struct {
	// id names the decision. A repeated evaluation of the same request gives the same
	// effects the same keys.
	id     string
	of     vcs.Repository
	number int64
	base   string // address of this server
	pull   *pull
	// effects are in the order in which they are made.
	effects []effect
	// writes are stored in the transaction of the decision.
	writes []table.Write
	// owner is the row of a pull request that may hold locks. Nil leaves it as it is; one
	// without dirspaces removes it.
	owner *owner
	// scene is what was read of the pull request. It is nil if it was not read.
	scene *scene
	// known says that something was remembered of the pull request.
	known bool
	now   time.Time
}

// kind is what an effect does.
type kind string

// The kinds. Those that start and end runs come first in an outcome.
const (
	startsRun     kind = "start"
	abortsRun     kind = "abort"
	unlocks       kind = "unlock"
	setsStatus    kind = "status"
	comments      kind = "comment"
	edits         kind = "edit"
	folds         kind = "fold"
	reacts        kind = "react"
	merges        kind = "merge"
	deletesBranch kind = "delete branch"
)

// content reports whether a kind makes content at the host, which hosts limit.
func (k kind) content() bool {
	switch k {
	case startsRun, abortsRun, unlocks:
		return false
	}
	return true
}

// effect is something that a decision does. Its JSON form is the one that is stored.
type effect struct {
	Kind kind `json:"kind"`
	// Key tells comments apart that were made by one decision.
	Key string `json:"key,omitempty"`

	// Of a run.
	Spec   *run.Spec       `json:"spec,omitempty"`
	Config json.RawMessage `json:"config,omitempty"`
	// Like is the place of the effect that has the configuration, from 1, if another one
	// has the same.
	Like      int                 `json:"like,omitempty"`
	Dirspaces []manifest.Dirspace `json:"dirspaces,omitempty"`
	// Plans are the plans that an apply uses, for each of its dirspaces.
	Plans []run.ID `json:"plans,omitempty"`
	// Subject is what the run belongs to, as the rules saw it.
	Subject *rules.Subject `json:"subject,omitempty"`
	Run     run.ID         `json:"run,omitempty"`
	Reason  *run.Reason    `json:"reason,omitempty"`
	// OnlyQueued leaves a run alone that its runner has begun.
	OnlyQueued bool `json:"only_queued,omitempty"`

	// Of an unlock and a request.
	Origin run.Origin `json:"origin,omitempty"`
	By     string     `json:"by,omitempty"`
	Number int64      `json:"number,omitempty"`

	// Of the host.
	Commit string                `json:"commit,omitempty"`
	Status *vcshost.CommitStatus `json:"status,omitempty"`
	Text   string                `json:"text,omitempty"`
	// Comment is the id of a comment.
	Comment string `json:"comment,omitempty"`
	// Shows is the id of the decision of which the comment has the result. The next
	// result folds it.
	Shows string `json:"shows,omitempty"`
	// Strategy says what happens to the comments of earlier results.
	Strategy repoconfig.CommentStrategy `json:"strategy,omitempty"`
	Merge    *vcshost.Merge             `json:"merge,omitempty"`
	Branch   string                     `json:"branch,omitempty"`
}

func (o *outcome) add(e effect) {
	e.Number = o.number
	o.effects = append(o.effects, e)
}

// url returns the page of a run, or of the pull request's runs.
func (o *outcome) url(id run.ID) string {
	if o.base == "" {
		return ""
	}
	address := fmt.Sprintf("%s/i/%s/runs", o.base, o.of.Installation.ID)
	if id != "" {
		address += "/" + string(id)
	}
	return address
}

// say adds a comment. Nothing is said without a text.
func (o *outcome) say(text string) {
	if text != "" {
		o.comment(comments, text, "")
	}
}

// comment adds a comment. shows is the id of the decision of which it has the result.
func (o *outcome) comment(as kind, text, shows string) {
	key := fmt.Sprintf("%s-%d", o.id, len(o.effects))
	o.add(effect{Kind: as, Key: key, Text: text + "\n" + texts.Marker(key), Shows: shows})
}

// tell adds a comment that no command asked for, unless it was the last one of these.
func (o *outcome) tell(text string) {
	if text == "" {
		o.pull.Told = ""
		return
	}
	sum := sha256.Sum256([]byte(text))
	digest := hex.EncodeToString(sum[:])
	if o.pull.Told == digest {
		return
	}
	o.pull.Told = digest
	o.say(text)
}

// abort adds the end of a run.
func (o *outcome) abort(id run.ID, reason run.Reason, onlyQueued bool) {
	o.add(effect{Kind: abortsRun, Run: id, Reason: &reason, OnlyQueued: onlyQueued})
}
