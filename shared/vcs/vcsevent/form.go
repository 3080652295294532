package vcsevent

import (
	"encoding/json"
	"slices"
)

// names are those of a payload's members, at its top.
type names []string

// UnmarshalJSON implements json.Unmarshaler: beside the members, it keeps what
// all of them are called.
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

// form fails unless a payload has no other members than those of an event, as the
// host documents it. It is asked where another event's body would be taken for a
// loss: what GitHub tells of a star or a comment that was deleted has an action
// and a repository, too, and may be sent again under another name.
func (c *checker) form(found names, event string, members ...string) {
	for _, name := range found {
		if !slices.Contains(members, name) {
			c.fail("the body is not that of the event %s: it has members that such a body has not", event)
		}
	}
}
