package result

import (
	"encoding/json"
	"strings"
)

// File is a file of a tree that a builder made.
type File struct {
	// Path is relative to the root of the repository, without a leading slash.
	Path string
	// ID changes when the content of the file changes.
	ID string
	// Changed says whether the change that is looked at has changed the file; nil if
	// the builder does not say.
	Changed *bool
}

// decodeConfig takes what a builder printed. Only an object can be a repository
// configuration.
func decodeConfig(config json.RawMessage) (*Result, error) {
	if kind(config) != "an object" {
		return &Result{Kind: Config, Message: "the configuration must be an object, but it is " + kind(config)}, nil
	}
	made, err := appendValue(make([]byte, 0, len(config)), config, whole)
	if err != nil {
		return nil, in("config", err)
	}
	return &Result{Kind: Config, Success: true, Config: made}, nil
}

func decodeTree(files json.RawMessage) (*Result, error) {
	r := &Result{Kind: Tree, Success: true, Files: make([]File, 0, count(files))}
	err := elements(files, func(_ int, text json.RawMessage) error {
		file, err := decodeFile(text)
		r.Files = append(r.Files, file)
		return err
	})
	if err != nil {
		return nil, in("files", err)
	}
	return r, nil
}

func decodeFile(text json.RawMessage) (File, error) {
	m, err := pick(text, "path", "id", "changed")
	if err != nil {
		return File{}, err
	}
	var f File
	if f.Path, err = decodeText(m[0]); err != nil {
		return File{}, in("path", err)
	}
	// The runner cuts an absolute prefix off and leaves its last slash.
	if f.Path = strings.TrimLeft(f.Path, "/"); f.Path == "" {
		return File{}, problemf("path", "is empty")
	}
	if f.ID, err = decodeText(m[1]); err != nil {
		return File{}, in("id", err)
	}
	if !isNull(m[2]) {
		changed, err := decodeTruth(m[2])
		if err != nil {
			return File{}, in("changed", err)
		}
		f.Changed = &changed
	}
	return f, nil
}

func decodeFailure(msg json.RawMessage) (*Result, error) {
	text, err := decodeText(msg)
	if err != nil {
		return nil, in("msg", err)
	}
	return &Result{Kind: BuilderFailure, Message: message(text)}, nil
}
