package vcsevent

import (
	"encoding/json"
	"slices"
)

// names are the names of a payload's top-level members.
type names []string

// UnmarshalJSON implements json.Unmarshaler. It also keeps the names of all
// members.
func (p *githubPayload) UnmarshalJSON(body []byte) error {
	type plain githubPayload
	var members map[string]json.RawMessage
	if err := json.Unmarshal(body, &members); err != nil {
		return err
	}
	for name := range members {
		p.names = append(p.names, name)
	}
	return json.Unmarshal(body, (*plain)(p))
}

// form fails if a payload has a member that the host's documentation of the event
// does not list. It is used where the body of another event could be read as a
// loss. For example, GitHub's event of a deleted star or comment also has an action
// and a repository. Somebody could send such a body again under another event name.
func (c *checker) form(found names, event string, members ...string) {
	for _, name := range found {
		if !slices.Contains(members, name) {
			c.fail("the body is not that of the event %s: it has members that such a body has not", event)
		}
	}
}
