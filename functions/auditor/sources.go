package main

import (
	"github.com/opsplane/opsplane/shared/audit"
	"github.com/opsplane/opsplane/shared/background/task"
	"github.com/opsplane/opsplane/shared/credential/apikey"
	"github.com/opsplane/opsplane/shared/credential/signing"
	"github.com/opsplane/opsplane/shared/kv/kvitem"
	"github.com/opsplane/opsplane/shared/login/grant"
	"github.com/opsplane/opsplane/shared/login/session"
	"github.com/opsplane/opsplane/shared/login/user"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/vcs/grouptoken"
	"github.com/opsplane/opsplane/shared/vcs/installation"
	"github.com/opsplane/opsplane/shared/vcs/pullrequest"
	"github.com/opsplane/opsplane/shared/vcs/repository"
)

// sources are the tables whose changes are recorded, with the owners of their items.
var sources = []audit.Source{
	{Table: audit.Tokens, Owners: []audit.Owner{apikey.AuditRecord, signing.AuditRecord}},
	{Table: audit.Operations, Owners: []audit.Owner{user.AuditRecord, installation.AuditRecord, task.AuditRecord}},
	{Table: audit.Sessions, Owners: []audit.Owner{session.AuditRecord, grant.AuditRecord, grouptoken.AuditRecord}},
	{Table: audit.KV, Owners: kvitem.Owners()},
	{Table: audit.VCS, Owners: []audit.Owner{repository.AuditRecord, pullrequest.AuditRecord}},
	{Table: audit.Runs, Owners: []audit.Owner{runstore.AuditRecord, runstore.AuditUnlock}},
}

// byName returns the sources by the physical names of their tables, which name
// returns.
func byName(name func(audit.Table) string) map[string]audit.Source {
	found := map[string]audit.Source{}
	for _, s := range sources {
		found[name(s.Table)] = s
	}
	return found
}
