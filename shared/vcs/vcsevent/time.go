package vcsevent

import (
	"bytes"
	"encoding/json"
	"time"
)

// hostTime reads the forms in which hosts write times: RFC 3339, GitLab's older
// form, and Unix seconds, which GitHub's pushes have. Anything else, also null,
// becomes the zero time.
type hostTime struct{ time.Time }

// forms are the text forms that hosts write.
var forms = []string{time.RFC3339Nano, "2006-01-02 15:04:05 MST", "2006-01-02 15:04:05 -0700"}

// latest is the limit of the times that are accepted. The versions of later times
// would have more digits, and so would sort wrongly.
var latest = time.Date(2286, 1, 1, 0, 0, 0, 0, time.UTC)

// UnmarshalJSON implements json.Unmarshaler.
func (t *hostTime) UnmarshalJSON(text []byte) error {
	t.Time = time.Time{}
	if bytes.HasPrefix(text, []byte(`"`)) {
		var s string
		if err := json.Unmarshal(text, &s); err != nil {
			return err
		}
		for _, form := range forms {
			if at, err := time.Parse(form, s); err == nil {
				t.set(at)
				return nil
			}
		}
		return nil
	}
	var seconds int64
	if json.Unmarshal(text, &seconds) == nil && seconds > 0 {
		t.set(time.Unix(seconds, 0))
	}
	return nil
}

func (t *hostTime) set(at time.Time) {
	if at.Year() >= 1970 && at.Before(latest) {
		t.Time = at.UTC().Truncate(time.Second)
	}
}
