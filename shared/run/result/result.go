// Package result reads what a runner reports at the end of its work: the body of
// PUT /v1/work-manifests/{id}. The package is pure.
//
// Its invariant: no value of a sensitive output leaves it. What it returns has
// valid UTF-8 without NUL characters, so that it can be stored and shown as it is.
//
// A result tells what has already happened to somebody's infrastructure, and the
// runner does not send it a second time in another form. So Decode refuses a body
// only if a member that decides is missing, unreadable or there twice. What it does
// not know, it keeps or leaves out.
package result

import (
	"encoding/json"
	"strings"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/api/jsonobject"
)

// Kind says what a body reports.
type Kind int

// The kinds of bodies.
const (
	// Steps is the result of a plan or an apply.
	Steps Kind = iota + 1
	// Index is the result of an indexer.
	Index
	// Config is what a builder of the repository configuration made.
	Config
	// Tree is what a builder of the file tree made.
	Tree
	// BuilderFailure is the failure of a builder of either kind.
	BuilderFailure
)

// Result is a decoded body.
type Result struct {
	Kind Kind
	// Success reports whether everything succeeded. For Steps: there is at least
	// one step, and each one succeeded or its errors are ignored.
	Success bool
	// Message says why an index or a builder failed, at most MaxMessage bytes. It
	// is empty on success.
	Message string

	// Steps are the steps of a plan or an apply. A step's index is the idx of the
	// API.
	Steps []Step
	// Payloads are the payloads of all steps, one after the other, as compact JSON
	// objects. Each step has its range.
	Payloads []byte
	// Hooks are the outcomes of the hooks of the run.
	Hooks Hooks
	// Dirspaces are the dirspaces that have a step, in the order of their first
	// step. Of a body in the old form: those that it names.
	Dirspaces []Dirspace
	// Gates are the gates that the steps asked for.
	Gates []Gate

	// Index is the index. It is empty if the indexer failed.
	Index IndexContent
	// Config is the JSON object that a builder made; nil on failure.
	Config json.RawMessage
	// Files are the files of the tree that a builder made.
	Files []File
}

// Limits of a body.
const (
	// MaxDepth is the maximum nesting depth of a payload and of a configuration.
	// Readers of the API must be able to parse what is stored here.
	MaxDepth = 256
	// MaxName is the maximum length of the name of a step, and of the type, the flow
	// and the subflow of a scope, in bytes.
	MaxName = 100
	// MaxMessage is the maximum length of Message in bytes. The runner sends the
	// whole output of an indexer that failed.
	MaxMessage = 4 << 10
)

// Payload returns the payload of a step: a JSON object.
func (r *Result) Payload(s Step) []byte { return r.Payloads[s.Offset : s.Offset+s.Length] }

// Decode reads a body. It returns an INVALID_RESULT fault that names the member
// that is wrong, if the body cannot be read. The result does not share memory with
// body. The memory that Decode takes is about twice the length of the body and 200
// bytes for each step.
func Decode(body []byte) (*Result, error) {
	if !json.Valid(body) {
		return nil, invalid("", "is not JSON: "+json.Unmarshal(body, &struct{}{}).Error())
	}
	r, err := decode(body)
	if err != nil {
		return nil, err
	}
	return r, nil
}

// The forms of a body are recognised by these members, in this order (section 5.5
// of the runner protocol).
func decode(body []byte) (*Result, error) {
	if kind(body) == "a string" {
		// The runner sends the output of an indexer that failed.
		text, _ := decodeText(body)
		return &Result{Kind: Index, Message: message(text)}, nil
	}
	m, err := pick(body, "steps", "gates", "overall", "dirspaces", "paths", "files", "config", "msg", "success", "symlinks")
	if err != nil {
		return nil, fail(err)
	}
	steps, overall, dirspaces, paths, files, config, msg := m[0], m[2], m[3], m[4], m[5], m[6], m[7]
	var r *Result
	switch {
	case steps != nil:
		r, err = decodeSteps(steps, m[1], len(body))
	case overall != nil && dirspaces != nil:
		r, err = decodeOld(overall, dirspaces, len(body))
	case paths != nil:
		r, err = decodeIndex(m[8], paths, m[9])
	case files != nil:
		r, err = decodeTree(files)
	case config != nil:
		r, err = decodeConfig(config)
	case msg != nil:
		r, err = decodeFailure(msg)
	default:
		err = problemf("", "has none of the members steps, overall and dirspaces, paths, files, config, msg")
	}
	if err != nil {
		return nil, fail(err)
	}
	return r, nil
}

// fail makes the fault of a problem.
func fail(err error) error {
	p := asProblem(err)
	return invalid(p.member, p.says)
}

func invalid(member, says string) *fault.Error {
	if member == "" {
		member = "the body"
	}
	return fault.Invalidf("INVALID_RESULT", "%s %s", strings.TrimPrefix(member, "."), says)
}

// elements yields the elements of an array with their index.
func elements(array json.RawMessage, do func(n int, element json.RawMessage) error) error {
	if kind(array) != "an array" {
		return problemf("", "must be an array, but it is %s", kind(array))
	}
	n := 0
	for element := range jsonobject.Elements(array) {
		if err := do(n, element); err != nil {
			return at(n, err)
		}
		n++
	}
	return nil
}
