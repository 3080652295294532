package kv_test

import (
	"testing"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/kv"
)

func TestNamespaceIsRegisteredOnceBeforeWhatHasToBeCollected(t *testing.T) {
	for name, write := range map[string]func(*rig) error{
		"a body": func(r *rig) error {
			_, err := r.Set(t.Context(), r.caller(nil), r.write(t, "k", 0, large))
			return err
		},
		"a row beside idx 0": func(r *rig) error {
			_, err := r.Set(t.Context(), r.caller(nil), r.write(t, "k", 1, "1"))
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			var faults storagetest.Faults
			faults.Add(storagetest.Fault{Operation: "UpdateItem", Nth: 1, Kind: storagetest.LoseAnswer})
			failing := rigOn(r.env.WithFaults(&faults))
			if err := write(failing); err != nil {
				t.Fatal(err)
			}
			if it := r.item(t, "NAMESPACE", []byte("github:1")); it == nil {
				t.Error("the namespace is not registered")
			}
			before := faults.Calls("UpdateItem")
			if err := write(failing); err != nil {
				t.Fatal(err)
			}
			if got := faults.Calls("UpdateItem") - before; got != 1 {
				t.Errorf("%d updates for a second write, want 1", got)
			}
		})
	}
}

func TestSmallValueAtIdxZeroRegistersNothing(t *testing.T) {
	r := newRig(t)
	r.set(t, "k", 0, "1", true)
	if it := r.item(t, "NAMESPACE", []byte("github:1")); it != nil {
		t.Errorf("got %v", it)
	}
}

func TestEveryBodyIsAnObjectOfItsOwn(t *testing.T) {
	r := newRig(t)
	r.set(t, "a", 0, large, true)
	r.set(t, "b", 0, large, true)
	names := map[string]bool{}
	for _, key := range []string{"a", "b"} {
		names[stringOf(r.item(t, "github:1", []byte("k"+key))["vo"])] = true
	}
	if len(names) != 2 || names[""] {
		t.Errorf("objects %v, want two", names)
	}
	for id := range names {
		if name := kv.ObjectName(r.ns, id); name != "github/1/"+id {
			t.Errorf("object is called %s", name)
		}
	}
}
