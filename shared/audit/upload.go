package audit

import "strings"

// uploadActions are the actions for the states of an upload. The later steps, which
// remove its bytes and its item, are housekeeping and are not recorded.
var uploadActions = map[string]string{
	"pending": "upload.create", "done": "upload.complete", "aborted": "upload.abort", "refused": "upload.refuse", "expired": "upload.expire",
}

// upload makes the record of an upload: who announced it, and how it ended. If it
// became a record of the store, the audit trail also has a record of the key.
func (c changed) upload(namespace string) (Record, bool) {
	state := c.after.text("us")
	if state == c.before.text("us") {
		return Record{}, false
	}
	r := Record{Action: uploadActions[state], Subject: text(c.sk)}
	r.VCS, r.Installation, _ = strings.Cut(namespace, ":")
	r.After = map[string]any{"key": c.after.text("kn")}
	shown := map[string]string{"ix": "idx", "fs": "size", "cb": "created_by"}
	if len(c.before) == 0 {
		shown["fh"], shown["cm"] = "sha256", "committed"
	}
	for attribute, name := range shown {
		if v, ok := c.after[attribute]; ok {
			r.After[name] = plain(v)
		}
	}
	return r, r.Action != ""
}
