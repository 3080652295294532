package vcsevent

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/repository"
)

// Undecodable is the error for a delivery whose body does not have the form of its
// event.
type Undecodable struct {
	// Reason names the member that is wrong and the type that it has. It holds no
	// text of the delivery.
	Reason string
}

// Error implements error.
func (u *Undecodable) Error() string { return "the delivery cannot be read: " + u.Reason }

func undecodable(format string, args ...any) *Undecodable {
	return &Undecodable{Reason: fmt.Sprintf(format, args...)}
}

// Limits of texts, in bytes. Longer names are refused, because no host sends them.
// Longer titles are cut.
const (
	maxName   = 255
	maxBranch = 1024
	maxTitle  = 1024
	maxSHA    = 64
	maxURL    = 2048
	// maxPath is the limit of a project's path within its top-level group.
	maxPath = repository.MaxName
)

// maxSkipped is the maximum number of skipped entries that are listed one by one.
const maxSkipped = 10

// checker reads the members that an event needs and checks their limits. It
// remembers the first member that is wrong, and the entries that were left out.
type checker struct {
	err     error
	skipped []string
	more    int // how many more were left out
}

func (c *checker) fail(format string, args ...any) {
	if c.err == nil {
		c.err = undecodable(format, args...)
	}
}

// skip records why an entry is left out.
func (c *checker) skip(reason string) {
	if len(c.skipped) < maxSkipped {
		c.skipped = append(c.skipped, reason)
		return
	}
	c.more++
}

// left returns texts that describe what was left out.
func (c *checker) left() []string {
	if c.more > 0 {
		return append(c.skipped, fmt.Sprintf("%d more", c.more))
	}
	return c.skipped
}

// part reads a member that has members of its own. If it is absent, the zero value
// is returned.
func part[T any](c *checker, path string, m member[T]) T {
	if m.wrong != "" {
		c.fail("%s is %s, not %s", path, m.wrong, m.wanted())
	}
	return m.value
}

// usable reports whether a text is not empty, has no more than most bytes, and can
// be stored and shown.
func usable(text string, most int) bool {
	return text != "" && len(text) <= most && utf8.ValidString(text) && !strings.Contains(text, "\x00")
}

// text reads a text that must be there. It may have no more than most bytes.
func (c *checker) text(path string, m member[string], most int) string {
	if m.wrong != "" {
		c.fail("%s is %s, not a string", path, m.wrong)
	}
	return c.name(path, m.value, most)
}

// name checks a text that must be there. It may have no more than most bytes.
func (c *checker) name(path, text string, most int) string {
	if !usable(text, most) {
		c.fail("%s is missing, longer than %d bytes, or no text", path, most)
	}
	return text
}

// optional returns a text that no event needs. It returns an empty text if the text
// cannot be used.
func optional(m member[string], most int) string {
	if !usable(m.value, most) {
		return ""
	}
	return m.value
}

// title returns a title, cut to the first maxTitle bytes, or less, so that no
// character is cut in two. It is empty if it is not a text.
func title(m member[string]) string {
	return strings.ToValidUTF8(m.value[:min(len(m.value), maxTitle)], "")
}

// whole reads a number that must be there and above 0.
func (c *checker) whole(path string, m member[int64]) int64 {
	switch {
	case m.wrong != "":
		c.fail("%s is %s, not a whole number", path, m.wrong)
	case m.value <= 0:
		c.fail("%s is missing or is not above 0", path)
	}
	return m.value
}

// id reads an id, which must be positive.
func (c *checker) id(path string, m member[int64]) vcs.ID {
	n := c.whole(path, m)
	if n <= 0 {
		return ""
	}
	return vcs.ID(strconv.FormatInt(n, 10))
}

// idOf returns an id that no event needs. It returns an empty id if there is none.
func idOf(m member[int64]) vcs.ID { return new(checker).id("", m) }

// time checks a time that must be there.
func (c *checker) time(path string, t hostTime) time.Time {
	if t.IsZero() {
		c.fail("%s is missing or is no time", path)
	}
	return t.Time
}

// actionOf returns the action of an event. It returns an empty text if the text is
// not a short plain word, as hosts' actions are.
func actionOf(text string) string {
	if len(text) > maxName || strings.ContainsFunc(text, func(r rune) bool { return r < '!' || r > '~' }) {
		return ""
	}
	return text
}

// later returns the later of two times.
func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
