package runstore

import (
	"fmt"
	"time"

	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/background/queue"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/erasure"
	"github.com/opsplane/opsplane/shared/vcs"
)

// record is a run as its own item holds it.
type record struct {
	run.Run
	// dirs is the encoded list of dirspaces. It is nil where they are in chunks.
	dirs []byte
	// chunks is the number of chunks of dirspaces. It is 0 where the item has them.
	chunks int64
	// manifest is the name of the manifest's object. It is empty where the manifest
	// is an item.
	manifest string
	token    Token
	// due is the run's reminder. That of a run that has ended may be gone.
	due queue.Reminder
	ttl time.Time
	// request is the id of the request that changed the item last.
	request string
	// leaving says that the run is being removed.
	leaving bool
}

// static returns the attributes that never change, with the key.
func (r *record) static() attr.Item {
	item := Key(r.ID)
	for name, value := range map[string]string{
		"vcs": string(r.Repository.Installation.VCS), "installation": string(r.Repository.Installation.ID), "repository": string(r.Repository.ID),
		"owner": r.Owner, "name": r.Name, "type": string(r.Type), "kind": string(r.Kind.Name), "title": r.Kind.Title,
		"base_branch": r.Base.Branch, "base_ref": r.Base.Commit, "branch": r.Source.Branch, "branch_ref": r.Source.Commit,
		"environment": r.Environment, "runs_on": r.RunsOn, "tag_query": r.TagQuery, "user": r.User, "principal": r.Principal,
		"manifest": r.manifest,
	} {
		setText(item, name, value)
	}
	setInt(item, "pr", r.Kind.Number)
	setBytes(item, "dirs", r.dirs)
	setInt(item, "dir_count", int64(r.DirspaceCount))
	setInt(item, "chunks", r.chunks)
	setBytes(item, "token_hash", r.token.Hash)
	setBytes(item, "token_sealed", r.token.Sealed)
	item["created"] = attr.Int(r.CreatedAt.UnixNano())
	return item
}

// changing has the names of the attributes that transitions change, except those of
// the author and the version.
var changing = []string{
	"seq", "state", "attempt", "lease", "asked_at", "dispatched_at", "dispatch_id", "problem", "failing_since", "ci_run", "url", "started_at", "ended_at",
	"reason", "reason_text", "outcomes", "success", "steps", "payload", "gates", "due_in", "due", attrTTL,
}

// status returns the attributes of changing that the run has.
func (r *record) status() attr.Item {
	item := attr.Item{"state": attr.String(string(r.State)), attrTTL: attr.Time(r.ttl)}
	setInt(item, "seq", r.Seq)
	setInt(item, "attempt", int64(r.Dispatch.Attempt))
	setMillis(item, "lease", r.Dispatch.Lease)
	setMillis(item, "asked_at", r.Dispatch.AskedAt)
	setMillis(item, "dispatched_at", r.Dispatch.At)
	setText(item, "dispatch_id", r.Dispatch.ID)
	setText(item, "problem", r.Dispatch.Problem)
	setMillis(item, "failing_since", r.Dispatch.FailingSince)
	setText(item, "ci_run", r.CIRun)
	setText(item, "url", r.URL)
	setMillis(item, "started_at", r.StartedAt)
	setMillis(item, "ended_at", r.EndedAt)
	setText(item, "reason", string(r.Reason.Code))
	setText(item, "reason_text", r.Reason.Text)
	if r.due.List != "" {
		item["due_in"], item["due"] = attr.String(r.due.List), attr.Int(r.due.At.UnixMilli())
	}
	if r.Result != nil {
		outcomes := make([]byte, len(r.Result.Outcomes))
		for i, o := range r.Result.Outcomes {
			outcomes[i] = byte(o)
		}
		setBytes(item, "outcomes", outcomes)
		item["success"] = attr.Bool(r.Result.Success)
		setInt(item, "steps", int64(r.Result.Steps))
		setText(item, "payload", r.Result.Payload)
		setText(item, "gates", r.Result.Gates)
	}
	return item
}

// decode reads a run's own item.
func decode(item attr.Item) (record, error) {
	r := attr.Read(item)
	id := run.ID(textAfter(r.String("pk"), "RUN#"))
	on := vcs.Installation{VCS: vcs.VCS(r.String("vcs")), ID: vcs.ID(r.String("installation"))}
	rec := record{
		Run: run.Run{
			Spec: run.Spec{
				ID: id, Repository: on.Repository(vcs.ID(r.String("repository"))), Owner: r.String("owner"), Name: r.String("name"),
				Type: run.Type(r.String("type")),
				Kind: run.Kind{Name: run.KindName(r.String("kind")), Number: r.Int("pr"), Title: r.String("title")},
				Base: run.Ref{Branch: r.String("base_branch"), Commit: r.String("base_ref")}, Source: run.Ref{Branch: r.String("branch"), Commit: r.String("branch_ref")},
				Environment: r.String("environment"), RunsOn: r.String("runs_on"), TagQuery: r.String("tag_query"), User: r.String("user"),
				Principal: r.String("principal"), DirspaceCount: int(r.Int("dir_count")),
			},
			Seq: r.Int("seq"), CreatedAt: time.Unix(0, r.Int("created")).UTC(), Version: r.Int("version"), State: run.State(r.String("state")),
			Dispatch: run.Dispatch{
				Attempt: int(r.Int("attempt")), Lease: millis(r, "lease"), AskedAt: millis(r, "asked_at"), At: millis(r, "dispatched_at"),
				ID: r.String("dispatch_id"), Problem: r.String("problem"), FailingSince: millis(r, "failing_since"),
			},
			CIRun: r.String("ci_run"), URL: r.String("url"), StartedAt: millis(r, "started_at"), EndedAt: millis(r, "ended_at"),
			Reason: run.Reason{Code: run.ReasonCode(r.String("reason")), Text: r.String("reason_text")},
		},
		dirs: r.Bytes("dirs"), chunks: r.Int("chunks"), manifest: r.String("manifest"),
		token: Token{Hash: r.Bytes("token_hash"), Sealed: r.Bytes("token_sealed")},
		ttl:   r.Time(attrTTL), request: r.String(change.AttrRequest), leaving: r.Has(erasure.Attr),
	}
	if r.Has("due_in") {
		rec.due = queue.Reminder{List: r.String("due_in"), ID: string(id), At: millis(r, "due")}
	}
	if r.Has("success") {
		rec.Result = &run.Result{
			Outcomes: run.DecodeOutcomes(r.Bytes("outcomes")), Success: r.Bool("success"), Steps: int(r.Int("steps")),
			Payload: r.String("payload"), Gates: r.String("gates"),
		}
	}
	var err error
	if rec.dirs != nil {
		rec.Dirspaces, err = decodeDirspaces(rec.dirs)
	}
	if err == nil {
		err = r.Err()
	}
	if err != nil {
		return record{}, fmt.Errorf("decode run %s: %w", id, err)
	}
	return rec, nil
}

func textAfter(text, prefix string) string {
	if len(text) < len(prefix) {
		return ""
	}
	return text[len(prefix):]
}
