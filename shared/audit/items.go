package audit

import (
	"strings"
)

// record decides what kind of change was made to an item. Each kind of item lists
// the attributes that are shown. An item of another kind has no record.
func (c changed) record(table Table) (Record, bool) {
	switch table {
	case Tokens:
		return c.tokens()
	case Operations:
		return c.operations()
	case Sessions:
		return c.sessions()
	case KV:
		return c.kv()
	case VCS:
		return c.repository()
	}
	return Record{}, false
}

// shown makes a record of the attributes that may be shown, if one of them changed
// or the item is new, gone or erased.
func (c changed) shown(action, subject string, names ...string) (Record, bool) {
	before, after, differ := c.differ(names...)
	whole := len(c.before) == 0 || len(c.after) == 0 || c.erases()
	return Record{Action: action, Subject: subject, Before: before, After: after}, differ || whole
}

// tokens makes the records of API keys and signing keys. It uses the public half of
// a signing key, because that is written in one transaction with the private half,
// and nothing of the private half may be shown.
func (c changed) tokens() (Record, bool) {
	sk := text(c.sk)
	if id, ok := cut(sk, "KEY"); ok && strings.HasPrefix(c.pk, "USER#") {
		action := "api_key." + c.verb()
		if c.after.has("revoked_at") && !c.before.has("revoked_at") {
			action = "api_key.revoke"
		}
		r, ok := c.shown(action, id, "name", "description", "capabilities", "expires_at", "revoked_at")
		if r.After != nil {
			r.After["user"] = strings.TrimPrefix(c.pk, "USER#")
		}
		return r, ok
	}
	if kid, ok := cut(sk, "V"); ok && c.pk == "AUTHORITY" {
		return c.shown("signing_key."+c.verb(), kid, "verify_until", "destroyed_at")
	}
	return Record{}, false
}

func (c changed) operations() (Record, bool) {
	if id, ok := cut(c.pk, "USER"); ok {
		return c.shown("user."+c.verb(), id, "name", "member_github", "member_gitlab", "hosted_github", "hosted_gitlab",
			"identity_github", "identity_gitlab")
	}
	if rest, ok := cut(c.pk, "INSTALLATION"); ok {
		vcs, id, _ := strings.Cut(rest, "#")
		r, ok := c.shown("installation."+c.verb(), id, "name", "state", "target_type")
		r.VCS, r.Installation = vcs, id
		return r, ok
	}
	if id, ok := cut(c.pk, "TASK"); ok {
		r, ok := c.shown("task."+c.verb(), id, "state", "problem")
		now := c.after
		if len(now) == 0 {
			now = c.before
		}
		r.VCS, r.Installation = now.text("vcs"), now.text("installation")
		if r.After != nil {
			r.After["kind"] = now.text("kind")
		}
		// A worker reports its problems in a task that continues. Only a change of
		// the state is recorded.
		return r, ok && c.before.text("state") != c.after.text("state")
	}
	return Record{}, false
}

// sessions makes the records of logins and their ends, and of the tokens of hosts.
// Of a token it shows only that it exists.
func (c changed) sessions() (Record, bool) {
	if id, ok := cut(c.pk, "SESSION"); ok {
		action := "session." + c.verb()
		if c.after.has("ended_at") && !c.before.has("ended_at") {
			action = "session.end"
		}
		return c.shown(action, id, "user", "vcs", "account", "ended_at")
	}
	if vcs, ok := cut(text(c.sk), "TOKEN"); ok && strings.HasPrefix(c.pk, "USER#") {
		r := Record{Action: "grant." + c.verb(), Subject: strings.TrimPrefix(c.pk, "USER#"), After: map[string]any{"vcs": vcs}}
		return r, c.secret()
	}
	if id, ok := cut(c.pk, "GROUP"); ok {
		r := Record{Action: "group_token." + c.verb(), Subject: id, VCS: "gitlab", Installation: id}
		return r, c.secret()
	}
	return Record{}, false
}

// secret reports whether a sealed secret differs from the one before. Each secret
// has a version. The version stays the same when the server seals the secret again
// with a newer secret value, and when a worker takes a lease. An erased secret
// counts as different.
func (c changed) secret() bool {
	if c.erases() {
		return true
	}
	if c.before.has("version") && c.after.has("version") {
		return c.before.text("version") != c.after.text("version")
	}
	return c.before.text("sealed") != c.after.text("sealed")
}

func (c changed) repository() (Record, bool) {
	rest, ok := cut(c.pk, "REPOSITORIES")
	if !ok {
		return Record{}, false
	}
	vcs, installation, _ := strings.Cut(rest, "#")
	now := c.after
	if len(now) == 0 {
		now = c.before
	}
	action := "repository." + c.verb()
	switch gone := c.after.has("gone"); {
	case gone && !c.before.has("gone"):
		action = "repository.remove"
	case !gone && c.before.has("gone"):
		action = "repository.create" // the repository is there again
	}
	r, ok := c.shown(action, now.text("id"), "owner", "name", "branch", "archived", "private", "setup", "gone")
	r.VCS, r.Installation = vcs, installation
	return r, ok
}
