package access

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/opsplane/opsplane/shared/api/fault"
)

func TestCapabilityRoundTripsThroughItsWireForm(t *testing.T) {
	for wire, want := range map[string]Capability{
		`"access_token_create"`:                AccessTokenCreate,
		`"access_token_refresh"`:               AccessTokenRefresh,
		`"kv_store_read"`:                      KVStoreRead,
		`"kv_store_write"`:                     KVStoreWrite,
		`"kv_store_system_read"`:               KVStoreSystemRead,
		`"kv_store_system_write"`:              KVStoreSystemWrite,
		`"audit_read"`:                         AuditRead,
		`{"name":"installation_id","id":"42"}`: Installation("42"),
		`{"name":"vcs","vcs":"gitlab"}`:        VCS("gitlab"),
	} {
		var got Capability
		if err := json.Unmarshal([]byte(wire), &got); err != nil || got != want {
			t.Errorf("read %s = %v, %v; want %v", wire, got, err, want)
		}
		if b, err := json.Marshal(want); err != nil || string(b) != wire {
			t.Errorf("write %v = %s, %v; want %s", want, b, err, wire)
		}
	}
}

func TestCapabilityOfAnyOtherFormIsRefused(t *testing.T) {
	for _, wire := range []string{
		`""`, `"root"`, `"vcs"`, `"installation_id"`, `7`, `null`, `[]`, `{}`,
		`{"name":"vcs"}`, `{"name":"vcs","id":"github"}`, `{"name":"vcs","vcs":"github","id":"1"}`,
		`{"name":"installation_id","id":1}`, `{"name":"installation_id","id":"1","more":true}`,
		`{"name":"installation_id","id":null}`, `{"name":"kv_store_read"}`,
		`{"name":"vcs","vcs":"gitlab","vcs":"github"}`, `{"name":"vcs","name":"vcs","vcs":"github"}`,
		`{"NAME":"vcs","vcs":"github"}`, `{"name":"vcs","Vcs":"github"}`, `{"name":"installation_id","ID":"1"}`,
		`{"name":"vcs","vcs":"github","VCS":"gitlab"}`, `{"Name":"vcs","name":"vcs","vcs":"github"}`,
	} {
		var c Capability
		err := json.Unmarshal([]byte(wire), &c)
		var f *fault.Error
		if !errors.As(err, &f) || f.ID != "INVALID_CAPABILITY" {
			t.Errorf("read %s = %v, %v; want INVALID_CAPABILITY", wire, c, err)
		}
	}
}

func TestBoundedRefusesOneMoreThanTheLimit(t *testing.T) {
	if err := Bounded("a key", MaxCapabilities); err != nil {
		t.Errorf("at the limit: %v", err)
	}
	var f *fault.Error
	if err := Bounded("a key", MaxCapabilities+1); !errors.As(err, &f) || f.Kind != fault.Invalid || f.ID != "TOO_MANY_CAPABILITIES" {
		t.Errorf("above it: %v", err)
	}
}

func TestNormalizePutsTheVCSFirstAndDropsDuplicates(t *testing.T) {
	got := Normalize([]Capability{KVStoreWrite, VCS("github"), KVStoreRead, KVStoreWrite, Installation("1"), VCS("github")})
	want := Set{VCS("github"), Installation("1"), KVStoreRead, KVStoreWrite}
	if len(got) != len(want) {
		t.Fatalf("got %v, want %v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("got %v, want %v", got, want)
		}
	}
}

func TestWithinComparesWhatSetsReach(t *testing.T) {
	for _, c := range []struct {
		inner, outer Set
		want         bool
	}{
		{nil, nil, true},
		{Set{VCS("github")}, nil, true},
		{nil, Set{VCS("github")}, false},
		{Set{VCS("github")}, Set{VCS("gitlab")}, false},
		{Set{Installation("1")}, Set{Installation("1"), Installation("2")}, true},
		{Set{Installation("1"), Installation("3")}, Set{Installation("1"), Installation("2")}, false},
		{Set{Installation("1")}, Set{Installation("1"), VCS("github")}, false},
		{Set{KVStoreRead}, Set{KVStoreWrite}, true},
	} {
		if got := c.inner.Within(c.outer); got != c.want {
			t.Errorf("%v within %v = %v, want %v", c.inner, c.outer, got, c.want)
		}
	}
}
