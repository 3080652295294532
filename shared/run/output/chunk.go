package output

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"

	"github.com/opsplane/opsplane/shared/run/result"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
)

// chunkSteps is the number of steps in one item of the index; the last item may have
// fewer. 256 steps are a few KB compressed.
const chunkSteps = 256

// maxChunk is the largest length of an unpacked chunk in bytes. A body of 6 MB
// cannot make a larger one.
const maxChunk = 16 << 20

// entry is a step in the index. Most steps have few of the members.
type entry struct {
	Name      string `json:"s"`
	Type      string `json:"t,omitempty"`
	Dir       string `json:"d,omitempty"`
	Workspace string `json:"w,omitempty"`
	Flow      string `json:"f,omitempty"`
	Subflow   string `json:"u,omitempty"`
	Success   bool   `json:"k,omitempty"`
	Ignore    bool   `json:"i,omitempty"`
	// Length is that of the payload. Wire is its length inside the JSON string in
	// which Lambda sends a response. Both are in bytes.
	Length int `json:"n"`
	Wire   int `json:"e"`

	offset int // of the payload in the object; the sum of the lengths before
}

func newEntry(s result.Step, payload []byte) entry {
	return entry{
		Name: s.Name, Type: s.Scope.Type, Dir: s.Scope.Dir, Workspace: s.Scope.Workspace, Flow: s.Scope.Flow, Subflow: s.Scope.Subflow,
		Success: s.Success, Ignore: s.IgnoreErrors, Length: s.Length, Wire: wireLength(payload),
	}
}

// wireLength returns how long a JSON text is inside a JSON string. The text has no
// white space and no other control character, so only these are escaped.
func wireLength(text []byte) int {
	separators := bytes.Count(text, []byte("\u2028")) + bytes.Count(text, []byte("\u2029"))
	return len(text) + bytes.Count(text, []byte(`"`)) + bytes.Count(text, []byte(`\`)) + separators*(len(`\u2028`)-len("\u2028"))
}

// Attributes of a chunk, besides its key and ttl.
const (
	attrEntries = "en" // the entries: gzip of a JSON array
	attrOffset  = "of" // where the payload of the first entry begins
)

// pack compresses the text of a chunk. Equal texts have equal bytes.
func pack(text []byte) ([]byte, error) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(text); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// unpack reads the entries of a chunk.
func unpack(item table.Item) ([]entry, error) {
	r := attr.Read(item)
	packed, offset := r.Bytes(attrEntries), int(r.Int(attrOffset))
	if err := r.Err(); err != nil {
		return nil, err
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("read steps: %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(z, maxChunk))
	if err != nil {
		return nil, fmt.Errorf("read steps: %w", err)
	}
	var entries []entry
	if err := json.Unmarshal(text, &entries); err != nil {
		return nil, fmt.Errorf("read steps: %w", err)
	}
	for n := range entries {
		entries[n].offset = offset
		offset += entries[n].Length
	}
	return entries, nil
}
