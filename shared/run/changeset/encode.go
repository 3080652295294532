package changeset

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"

	"github.com/opsplane/opsplane/shared/run"
)

// stored is a stack as it is stored.
type stored struct {
	Name       string     `json:"n"`
	Paths      [][]string `json:"p"`
	PlanAfter  []string   `json:"a,omitempty"`
	ApplyAfter []string   `json:"b,omitempty"`
	Members    []member   `json:"d,omitempty"`
}

type member struct {
	Dir       string `json:"d"`
	Workspace string `json:"w"`
	Layer     int    `json:"l,omitempty"`
}

// maxText is the largest size of an unpacked text, in bytes: that of the dirspaces with
// each character escaped, and of the stacks.
const maxText = MaxMembers*(run.MaxDir+run.MaxWorkspace+32)*6 + 16<<20

// encode returns the stacks as compressed JSON. Equal stacks have equal bytes.
func encode(stacks []Stack) ([]byte, error) {
	list := make([]stored, len(stacks))
	for i, s := range stacks {
		list[i] = stored{s.Name, s.Paths, s.PlanAfter, s.ApplyAfter, make([]member, len(s.Members))}
		for n, m := range s.Members {
			list[i].Members[n] = member{m.Dir, m.Workspace, m.Layer}
		}
	}
	var text bytes.Buffer
	w := gzip.NewWriter(&text)
	if err := json.NewEncoder(w).Encode(list); err != nil {
		return nil, fmt.Errorf("encode change set: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("encode change set: %w", err)
	}
	return text.Bytes(), nil
}

// decode reads what encode returned.
func decode(text []byte) ([]Stack, error) {
	r, err := gzip.NewReader(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("decode change set: %w", err)
	}
	var list []stored
	if err := json.NewDecoder(io.LimitReader(r, maxText)).Decode(&list); err != nil {
		return nil, fmt.Errorf("decode change set: %w", err)
	}
	stacks := make([]Stack, len(list))
	for i, s := range list {
		stacks[i] = Stack{s.Name, s.Paths, s.PlanAfter, s.ApplyAfter, make([]Member, len(s.Members))}
		for n, m := range s.Members {
			stacks[i].Members[n] = Member{run.Dirspace{Dir: m.Dir, Workspace: m.Workspace}, m.Layer}
		}
	}
	return stacks, nil
}
