// Package comment reads the commands that people write into pull requests. The package is
// pure.
package comment

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/opsplane/opsplane/shared/repoconfig"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/tagquery"
)

// Action is what a command asks for.
type Action string

// The actions.
const (
	Plan             Action = "plan"
	Apply            Action = "apply"
	ApplyForce       Action = "apply-force"
	ApplyAutoapprove Action = "apply-autoapprove"
	Unlock           Action = "unlock"
	RepoConfig       Action = "repo-config"
	Gate             Action = "gate"
	Feedback         Action = "feedback"
	Help             Action = "help"
)

// Actions are all actions, in the order in which help shows them.
var Actions = []Action{Plan, Apply, ApplyForce, ApplyAutoapprove, Unlock, Gate, RepoConfig, Feedback, Help}

// Command is a command of a comment.
type Command struct {
	// Trigger is the first word as it was written: terrateam, terraform or tofu.
	Trigger string
	Action  Action
	// Query is that of plan and the applies. Nothing matches everything.
	Query repoconfig.Query
	// Unlocks are the origins that an unlock is about. None means the pull request
	// itself.
	Unlocks []run.Origin
	// Tokens are those of gate approve.
	Tokens []string
	// Text is that of feedback.
	Text string
}

// UnknownError refuses a command whose action does not exist.
type UnknownError struct{ Word string }

// Error implements error.
func (e *UnknownError) Error() string { return fmt.Sprintf("%q is not a command", e.Word) }

// ArgumentError refuses the argument of a command. Problem is for people.
type ArgumentError struct {
	Action  Action
	Problem string
}

// Error implements error.
func (e *ArgumentError) Error() string { return fmt.Sprintf("%s: %s", e.Action, e.Problem) }

// MaxBytes is the longest comment that is read, in bytes. Hosts have longer ones, and
// those hold no command.
const MaxBytes = 64 << 10

// triggers are the words that begin a command.
var triggers = []string{"terrateam", "terraform", "tofu"}

// Parse reads a comment. ok is false if it is no command. An error is an *UnknownError or
// an *ArgumentError (orchestration, 5.1).
func Parse(text string) (c Command, ok bool, err error) {
	if len(text) > MaxBytes {
		return Command{}, false, nil
	}
	trigger, rest := word(strip(text))
	if !slices.ContainsFunc(triggers, func(t string) bool { return strings.EqualFold(trigger, t) }) {
		return Command{}, false, nil
	}
	name, argument := word(rest)
	c = Command{Trigger: trigger, Action: Action(name)}
	switch c.Action {
	case Plan, Apply, ApplyForce, ApplyAutoapprove:
		c.Query.Text = argument
		if c.Query.Expr, err = tagquery.Parse(argument); err != nil {
			return c, true, &ArgumentError{c.Action, fmt.Sprintf("%.200q is not a tag query: %v", argument, err)}
		}
	case Unlock:
		c.Unlocks, err = unlocks(argument)
	case Gate:
		var verb string
		verb, argument = word(argument)
		if c.Tokens = strings.Fields(argument); verb != "approve" || len(c.Tokens) == 0 {
			err = &ArgumentError{Gate, "write: gate approve TOKEN"}
		}
	case Feedback:
		c.Text = argument
	case RepoConfig, Help:
	default:
		return c, true, &UnknownError{name}
	}
	return c, true, err
}

// strip removes white space and backticks around a comment, in turns: a command may stand
// in a fenced block.
func strip(text string) string {
	return strings.TrimFunc(text, func(c rune) bool { return unicode.IsSpace(c) || c == '`' })
}

// word splits the first word off a text.
func word(text string) (first, rest string) {
	text = strings.TrimSpace(text)
	i := strings.IndexFunc(text, unicode.IsSpace)
	if i < 0 {
		return text, ""
	}
	return text[:i], strings.TrimSpace(text[i:])
}

// driftWord is the id with which drift is unlocked.
const driftWord = "drift"

// maxUnlocks is how many origins one command unlocks.
const maxUnlocks = 20

func unlocks(argument string) ([]run.Origin, error) {
	var made []run.Origin
	for _, id := range strings.Fields(argument) {
		if id == driftWord {
			made = append(made, run.OriginOfDrift)
			continue
		}
		number, err := strconv.ParseInt(strings.TrimPrefix(id, "#"), 10, 64)
		if err != nil || number <= 0 {
			return nil, &ArgumentError{Unlock, fmt.Sprintf("%.40q is neither the number of a pull request nor the word drift", id)}
		}
		made = append(made, run.OriginOfPullRequest(number))
	}
	slices.Sort(made)
	if made = slices.Compact(made); len(made) > maxUnlocks {
		return nil, &ArgumentError{Unlock, fmt.Sprintf("it names %d pull requests; at most %d are possible", len(made), maxUnlocks)}
	}
	return made, nil
}
