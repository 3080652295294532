package result

import (
	"encoding/json"
	"errors"
)

// IndexContent is what an indexer found in the directories of a repository.
type IndexContent struct {
	// Paths has what was found in each directory.
	Paths map[string]IndexedPath
	// Symlinks has the target of each symbolic link to a directory.
	Symlinks map[string]string
}

// IndexedPath is what an indexer found in one directory.
type IndexedPath struct {
	// Modules are the directories whose modules are used here.
	Modules []string `json:"modules"`
	// Failures has what is wrong with a file.
	Failures map[string]IndexFailure `json:"failures"`
}

// IndexFailure says what is wrong with a file.
type IndexFailure struct {
	Message string `json:"msg"`
	// Line is the number of the line, from 1; nil if it is not known.
	Line *int `json:"lnum"`
}

// decodeIndex reads what an indexer found. The member version has had one value so
// far and is not looked at.
func decodeIndex(success, paths, symlinks json.RawMessage) (*Result, error) {
	r := &Result{Kind: Index}
	var err error
	if r.Success, err = decodeTruth(success); err != nil {
		return nil, in("success", err)
	}
	if err := unmarshal(paths, &r.Index.Paths); err != nil {
		return nil, in("paths", err)
	}
	if err := unmarshal(symlinks, &r.Index.Symlinks); err != nil {
		return nil, in("symlinks", err)
	}
	if !r.Success {
		r.Message = "the indexer failed"
	}
	return r, nil
}

// unmarshal reads a value that may be absent.
func unmarshal(value json.RawMessage, to any) error {
	if value == nil {
		return nil
	}
	value, err := appendValue(make([]byte, 0, len(value)), value, whole)
	if err != nil {
		return err
	}
	err = json.Unmarshal(value, to)
	var mistyped *json.UnmarshalTypeError
	if errors.As(err, &mistyped) {
		return problemf(mistyped.Field, "must not be a JSON %s", mistyped.Value)
	}
	return err
}
