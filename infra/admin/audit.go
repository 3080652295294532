package admin

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/audit"
)

// auditList lists records of the audit trail.
func (o *Operator) auditList(ctx context.Context, args []string) error {
	fs := flags("audit list")
	vcs, id := fs.String("vcs", "", ""), fs.String("installation", "", "")
	name, actor, action := fs.String("user", "", ""), fs.String("actor", "", ""), fs.String("action", "", "")
	key, repository, runID := fs.String("key", "", ""), fs.String("repository", "", ""), fs.String("run", "", "")
	from, to := fs.String("from", "", ""), fs.String("to", "", "")
	limit := fs.Int("limit", 50, "")
	if _, err := parse(fs, args); err != nil {
		return err
	}
	if *limit < 1 || *limit > 1000 {
		return usagef("--limit must be from 1 to 1000")
	}
	if *action != "" {
		if err := audit.CheckAction(*action); err != nil {
			return usagef("--action: %v", err)
		}
	}
	if *name != "" && *actor != "" {
		return usagef("--user and --actor both say who did it: give one")
	}
	if (*vcs == "") != (*id == "") {
		return usagef("--vcs and --installation name an installation together")
	}
	if *name != "" {
		u, err := o.user(ctx, *name)
		if err != nil {
			return err
		}
		*actor = u.ID
	}
	q := audit.Query{Scope: audit.NoInstallation, To: o.Now().Add(time.Minute), Limit: *limit}
	if *vcs != "" || *id != "" {
		if err := access.CheckInstallation(installationOf(*vcs, *id)); err != nil {
			return err
		}
		q.Scope = audit.Scope(installationOf(*vcs, *id))
	}
	switch about := *key + *repository + *runID; {
	case about != *key && about != *repository && about != *runID:
		return usagef("--key, --repository and --run ask for different things: give one")
	case about != "" && q.Scope == audit.NoInstallation:
		return usagef("keys, repositories and runs are those of an installation: give --vcs and --installation")
	case *key != "":
		q.Topic, q.Scope = audit.Topic(q.Scope, "key", *key), ""
	case *repository != "":
		q.Topic, q.Scope = audit.Topic(q.Scope, "repository", *repository), ""
	case *runID != "":
		q.Topic, q.Scope = audit.Topic(q.Scope, "run", *runID), ""
	case *actor != "" && q.Scope == audit.NoInstallation:
		q.Actor, q.Scope = *actor, ""
	}
	q.Keep = func(r audit.Record) bool {
		return (*actor == "" || r.Actor.ID == *actor) &&
			(*action == "" || r.Action == *action || strings.HasSuffix(*action, ".") && strings.HasPrefix(r.Action, *action))
	}
	if err := errors.Join(moment(*from, "from", &q.From), moment(*to, "to", &q.To)); err != nil {
		return err
	}
	return o.sayRecords(ctx, q)
}

// sayRecords lists as many records as wanted, in as many calls as needed.
func (o *Operator) sayRecords(ctx context.Context, q audit.Query) error {
	trail := audit.Store{DB: o.DB, Table: o.Tables.Audit}
	said, names := 0, o.names()
	for more := true; more && q.Limit > 0; {
		list, on, err := trail.List(ctx, q)
		if err != nil {
			return err
		}
		for _, r := range list {
			actor, err := names.of(ctx, r.Actor.ID)
			if err != nil {
				return err
			}
			if err := o.sayRecord(r, actor); err != nil {
				return err
			}
		}
		said, q.Limit, q.After, more = said+len(list), q.Limit-len(list), on, on != ""
	}
	if said == 0 {
		o.note("There are no records. To list the records of an installation, use --vcs and --installation; to list what somebody did, use --user or --actor.")
	}
	return nil
}

func (o *Operator) sayRecord(r audit.Record, actor string) error {
	before, err := json.Marshal(r.Before)
	if err != nil {
		return err
	}
	after, err := json.Marshal(r.After)
	if err != nil {
		return err
	}
	row := ""
	if r.Idx != nil {
		row = "[" + jsonText(*r.Idx) + "]"
	}
	return o.say("%s  %-19s  %s  %s%s  by %s  %s -> %s", shown(r.At), r.Action, r.Scope(), jsonText(r.Subject), row, actor, before, after)
}

// jsonText quotes a text that somebody else has chosen, so that no control
// characters reach a terminal.
func jsonText(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return "?"
	}
	return string(text)
}

// moment reads a flag's time into at. If the flag is empty, at stays unchanged.
func moment(text, name string, at *time.Time) error {
	if text == "" {
		return nil
	}
	found, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return usagef("--%s must be a time such as 2026-11-24T12:00:00Z", name)
	}
	*at = found
	return nil
}
