package audit

import "encoding/json"

// maxMember is the largest size of one shown attribute, in bytes of JSON. A record
// shows at most ten attributes of before and after. So it stays far below the 400
// KB limit of an item ("Quotas in Amazon DynamoDB", AWS documentation).
const maxMember = 4 << 10

// bounded returns the record with each value that is too large replaced by its
// size.
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
