package access_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"testing"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/fault"
)

// FuzzCapabilities checks that a text is refused, or is a list of known
// capabilities that is the same after it is written and read again. The list in
// normal order allows and restricts the same.
func FuzzCapabilities(f *testing.F) {
	f.Fuzz(func(t *testing.T, text []byte) {
		var list []access.Capability
		if err := json.Unmarshal(text, &list); err != nil {
			if fault := new(fault.Error); errors.As(err, &fault) && (fault.ID != "INVALID_CAPABILITY" || fault.Detail == "") {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		for _, c := range list {
			if !c.Restricts() && !slices.Contains(access.Strings(), c) || c.Restricts() && len(c.Value) > 64 {
				t.Fatalf("%q holds %+v", text, c)
			}
		}
		written, err := json.Marshal(list)
		if err != nil {
			t.Fatal(err)
		}
		var again []access.Capability
		if err := json.Unmarshal(written, &again); err != nil || !reflect.DeepEqual(again, list) {
			t.Fatalf("%q is written %s, which is %v (%v)", text, written, again, err)
		}
		set := access.Normalize(list)
		if !reflect.DeepEqual(access.Normalize(set), set) || !set.HasAll(list) || !access.Set(list).HasAll(set) {
			t.Fatalf("%q: in order %v", text, set)
		}
		if !set.Within(access.Set(list)) || !access.Set(list).Within(set) {
			t.Fatalf("%q: in order it has another reach, %v", text, set)
		}
	})
}
