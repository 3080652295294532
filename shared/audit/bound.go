package audit

import "encoding/json"

// maxMember bounds what is shown of one attribute, in bytes of JSON. A record
// shows at most ten attributes of before and after, so that it stays far below
// the 400 KB of an item ("Quotas in Amazon DynamoDB", AWS documentation).
const maxMember = 4 << 10

// bounded replaces what is too large to be shown by its size.
func (r Record) bounded() Record {
	for _, shown := range []map[string]any{r.Before, r.After} {
		for name, value := range shown {
			text, err := json.Marshal(value)
			if err == nil && len(text) <= maxMember {
				continue
			}
			r.Truncated = true
			shown[name] = map[string]any{"bytes": len(text)}
		}
	}
	return r
}
