package access

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/api/jsonobject"
	"github.com/opsplane/opsplane/shared/vcs"
)

// Capability is one thing that a credential may do, or one restriction on where it
// may do it. Exactly fourteen forms exist: the twelve names below, which have no value,
// and the two restrictions, which have one. Compare capabilities with ==.
type Capability struct {
	// Name is the capability's name.
	Name string
	// Value is the installation id or the VCS of a restriction. Otherwise it is
	// empty.
	Value string
}

// The capabilities that allow something.
var (
	AccessTokenCreate  = Capability{Name: "access_token_create"}
	AccessTokenRefresh = Capability{Name: "access_token_refresh"}
	KVStoreRead        = Capability{Name: "kv_store_read"}
	KVStoreWrite       = Capability{Name: "kv_store_write"}
	KVStoreSystemRead  = Capability{Name: "kv_store_system_read"}
	KVStoreSystemWrite = Capability{Name: "kv_store_system_write"}
	AuditRead          = Capability{Name: "audit_read"}
	AuditReadAll       = Capability{Name: "audit_read_all"}
	// RunRead reads runs and what they printed. RunPlan starts plans, RunApply
	// applies. RunAdmin ends runs of others, and locks.
	RunRead  = Capability{Name: "run_read"}
	RunPlan  = Capability{Name: "run_plan"}
	RunApply = Capability{Name: "run_apply"}
	RunAdmin = Capability{Name: "run_admin"}
)

// The names of the two restrictions.
const (
	nameInstallation = "installation_id"
	nameVCS          = "vcs"
)

// MaxCapabilities is the largest number of capabilities in a list. Every token
// carries them, and the gateway limits a request's headers to 10,240 bytes.
const MaxCapabilities = 32

// Bounded returns an Invalid fault if n capabilities are more than MaxCapabilities. The
// holder is named in the fault's text, such as "a key".
func Bounded(holder string, n int) error {
	if n <= MaxCapabilities {
		return nil
	}
	return fault.Invalidf("TOO_MANY_CAPABILITIES", "%s can hold %d capabilities, not %d", holder, MaxCapabilities, n)
}

// maxValue is the largest length of a restriction's value, in bytes.
const maxValue = 64

// Strings returns the capabilities that have no value, in the order in which
// lists show them.
func Strings() []Capability {
	return []Capability{
		AccessTokenCreate, AccessTokenRefresh, AuditRead, AuditReadAll, KVStoreRead, KVStoreSystemRead, KVStoreSystemWrite, KVStoreWrite,
		RunAdmin, RunApply, RunPlan, RunRead,
	}
}

// OfRuns returns the capabilities for runs. A person's session needs none of them,
// and can give them to a key: see Rule.TokenNeeds.
func OfRuns() []Capability { return []Capability{RunAdmin, RunApply, RunPlan, RunRead} }

// Installation returns the restriction to the installations with an id, at any VCS.
func Installation(id vcs.ID) Capability {
	return Capability{Name: nameInstallation, Value: string(id)}
}

// VCS returns the restriction to one VCS.
func VCS(v vcs.VCS) Capability { return Capability{Name: nameVCS, Value: string(v)} }

// Restricts reports whether c limits where a credential may act.
func (c Capability) Restricts() bool { return c.Name == nameInstallation || c.Name == nameVCS }

// MarshalJSON writes a name as a JSON string and a restriction as an object
// with the members name and id (installation_id) or vcs (vcs).
func (c Capability) MarshalJSON() ([]byte, error) {
	switch c.Name {
	case nameInstallation:
		return json.Marshal(struct {
			Name string `json:"name"`
			ID   string `json:"id"`
		}{c.Name, c.Value})
	case nameVCS:
		return json.Marshal(struct {
			Name string `json:"name"`
			VCS  string `json:"vcs"`
		}{c.Name, c.Value})
	}
	return json.Marshal(c.Name)
}

// UnmarshalJSON reads what MarshalJSON writes. It returns an error for an unknown
// name, a missing or additional member, a member that is there twice, and a member
// whose name differs in case.
func (c *Capability) UnmarshalJSON(b []byte) error {
	var name string
	if json.Unmarshal(b, &name) == nil {
		if i := slices.Index(Strings(), Capability{Name: name}); i < 0 {
			return invalid(b)
		}
		*c = Capability{Name: name}
		return nil
	}
	// Decoding into a struct would accept NAME as name.
	var members map[string]*string
	if err := json.Unmarshal(b, &members); err != nil || len(members) != 2 || members["name"] == nil {
		return invalid(b)
	}
	written := 0
	for range jsonobject.Members(b) {
		written++
	}
	if written != len(members) {
		return invalid(b)
	}
	var value *string
	switch name = *members["name"]; name {
	case nameInstallation:
		value = members["id"]
	case nameVCS:
		value = members["vcs"]
	}
	if value == nil || len(*value) > maxValue {
		return invalid(b)
	}
	*c = Capability{Name: name, Value: *value}
	return nil
}

func invalid(b []byte) error {
	const shown = 100
	if len(b) > shown {
		b = b[:shown]
	}
	names := make([]string, 0, len(Strings()))
	for _, c := range Strings() {
		names = append(names, c.Name)
	}
	return fault.Invalidf("INVALID_CAPABILITY",
		`%s is not a capability; use one of %s, {"name":"installation_id","id":"…"} or {"name":"vcs","vcs":"…"}`,
		b, strings.Join(names, ", "))
}
