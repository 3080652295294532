package audit

import "strings"

// uploadActions are the records of an upload's states. What comes behind them, that
// its bytes are gone and its item goes, is housekeeping.
var uploadActions = map[string]string{
	"pending": "upload.create", "done": "upload.complete", "aborted": "upload.abort", "refused": "upload.refuse", "expired": "upload.expire",
}

// upload is a file on its way: who announced it, and how it ended. That it became a
// record is told by a record of its key too.
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
