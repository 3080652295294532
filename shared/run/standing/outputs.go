package standing

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// Limits of the outputs of one dirspace, in bytes of JSON. The outputs of a run as a
// whole have what is left out.
const (
	maxValues = 32 << 10 // of all values together
	maxNames  = 32 << 10 // of all names and types together
)

// Outputs are the outputs of Terraform or OpenTofu after an apply.
type Outputs struct {
	// Run is the apply.
	Run run.ID `json:"-"`
	// List is in the order of the names.
	List []Output `json:"list,omitempty"`
	// Omitted is the number of outputs that are left out, because there are too many.
	Omitted int `json:"omitted,omitempty"`
}

// Output is one output.
type Output struct {
	Name string `json:"name"`
	// Type is the type as the program writes it; nil if it said none.
	Type json.RawMessage `json:"type,omitempty"`
	// Sensitive says that the value is not stored.
	Sensitive bool `json:"sensitive,omitempty"`
	// TooLarge says that the value is left out because of its size.
	TooLarge bool `json:"too_large,omitempty"`
	// Value is the value. It is nil if Sensitive or TooLarge says why.
	Value json.RawMessage `json:"value,omitempty"`
}

// NewOutputs reads the member outputs of the payload of an apply: a JSON object of
// outputs by their names, or nil. An output counts as sensitive unless it says that it
// is not.
func NewOutputs(object json.RawMessage) Outputs {
	var found map[string]json.RawMessage
	if json.Unmarshal(object, &found) != nil {
		return Outputs{}
	}
	list := make([]Output, 0, len(found))
	for name, text := range found {
		var o struct {
			Sensitive   *bool
			Type, Value json.RawMessage
		}
		if json.Unmarshal(text, &o) != nil || o.Sensitive == nil || *o.Sensitive {
			list = append(list, Output{Name: name, Type: o.Type, Sensitive: true})
		} else {
			list = append(list, Output{Name: name, Type: o.Type, Value: o.Value})
		}
	}
	slices.SortFunc(list, func(a, b Output) int { return strings.Compare(a.Name, b.Name) })
	return Outputs{List: list}.fit()
}

// fit leaves out what is beyond the limits.
func (o Outputs) fit() Outputs {
	names, values := 0, 0
	for i := range o.List {
		one := &o.List[i]
		if names += len(one.Name) + len(one.Type); names > maxNames {
			o.Omitted, o.List = len(o.List)-i, o.List[:i]
			return o
		}
		if values+len(one.Value) > maxValues {
			one.Value, one.TooLarge = nil, true
		}
		values += len(one.Value)
	}
	return o
}

// size returns about how long the outputs are as JSON inside the JSON string in which
// Lambda sends a response.
func (o Outputs) size() int {
	const members = 80
	n := 0
	for _, one := range o.List {
		n += members + len(one.Name) + len(one.Type) + len(one.Value) + bytes.Count(one.Value, []byte(`"`)) + bytes.Count(one.Value, []byte(`\`))
	}
	return n
}

// Attributes of an item of outputs.
const (
	attrSeq     = "seq"
	attrRun     = "run"
	attrOutputs = "outputs" // gzip of JSON
)

// maxUnpacked is the largest length of unpacked outputs in bytes.
const maxUnpacked = 1 << 20

func (s Store) putOutputs(ctx context.Context, at Place, r run.Run, list Outputs, ends time.Time) error {
	text, err := json.Marshal(list)
	if err != nil {
		return err
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write(text); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	item := keyIn(outputsOf(r.Repository.Installation), at.sort())
	item[attrSeq], item[attrRun], item[attrTTL] = attr.Int(r.Seq), attr.String(string(r.ID)), attr.Time(ends)
	item[attrOutputs] = attr.Bytes(packed.Bytes())
	err = s.Table.Put(ctx, item, table.AbsentOr(attrSeq, table.Less(attrSeq, attr.Int(r.Seq))))
	if _, known := table.ConditionFailed(err); known {
		return nil
	}
	return err
}

// outputs reads the outputs of some places, at most table.MaxBatch.
func (s Store) outputs(ctx context.Context, in vcs.Installation, places []Place) (map[Place]Outputs, error) {
	found := make(map[Place]Outputs, len(places))
	if len(places) == 0 {
		return found, nil
	}
	keys := make([]attr.Item, len(places))
	for i, p := range places {
		keys[i] = keyIn(outputsOf(in), p.sort())
	}
	items, err := s.Table.BatchGet(ctx, table.Batch{Keys: keys})
	if err != nil {
		return nil, fmt.Errorf("read outputs of applies: %w", err)
	}
	for _, item := range items {
		read := attr.Read(item)
		at, err := parsePlace(read.String("sk"))
		if err != nil {
			return nil, err
		}
		one := Outputs{Run: run.ID(read.String(attrRun))}
		packed := read.Bytes(attrOutputs)
		if err := read.Err(); err != nil {
			return nil, fmt.Errorf("decode outputs of %s: %w", at.Dirspace, err)
		}
		if err := unpack(packed, &one); err != nil {
			return nil, fmt.Errorf("decode outputs of %s: %w", at.Dirspace, err)
		}
		found[at] = one
	}
	return found, nil
}

func unpack(packed []byte, to *Outputs) error {
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return err
	}
	text, err := io.ReadAll(io.LimitReader(z, maxUnpacked))
	if err != nil {
		return err
	}
	return json.Unmarshal(text, to)
}
