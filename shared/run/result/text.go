package result

import (
	"encoding/json"

	"github.com/opsplane/opsplane/shared/api/jsonobject"
)

// Text returns what a step printed, as plain text: the members text and stderr of
// its payload, or else the member plan. The payload must be one of a Result.
func Text(payload []byte) string {
	var printed, failed, plan string
	for name, value := range jsonobject.Members(payload) {
		if kind(value) != "a string" {
			continue
		}
		switch name {
		case "text":
			_ = json.Unmarshal(value, &printed) // valid, as the payload is
		case "stderr":
			_ = json.Unmarshal(value, &failed)
		case "plan":
			_ = json.Unmarshal(value, &plan)
		}
	}
	if printed == "" && failed == "" {
		return plan
	}
	return printed + failed
}
