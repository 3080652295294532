package access

import "github.com/opsplane/opsplane/shared/vcs"

// PrincipalOfRun returns the principal of what the runner of a run does: "run:" and
// the id of the run. The audit trail shows it as the actor, and the key-value store
// counts uploads by it.
func PrincipalOfRun(id string) string { return "run:" + id }

// OfRun returns the caller that the token of a run stands for. It may read and write
// the key-value store of the run's installation, and nothing else. active says that
// the run is queued or running.
func OfRun(id string, in vcs.Installation, active bool) Caller {
	return Caller{
		Kind: KindRun, User: PrincipalOfRun(id), Key: id, Active: active,
		Capabilities: Normalize([]Capability{VCS(in.VCS), Installation(in.ID), KVStoreRead, KVStoreWrite}),
		Memberships:  []vcs.Installation{in},
	}
}

// Run returns the id of the run whose token the caller has. It is empty for other
// kinds of credential.
func (c Caller) Run() string {
	if c.Kind != KindRun {
		return ""
	}
	return c.Key
}
