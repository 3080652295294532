package repoconfig

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
	"github.com/yuin/gopher-lua/pm"

	"github.com/opsplane/opsplane/shared/tagquery"
)

// Limits of patterns. A matcher of Lua's patterns goes back over what it has read, once
// for each repetition in the pattern, so each repetition multiplies its time by the
// length of the name.
const (
	// maxPattern is the longest pattern, in bytes.
	maxPattern = 256
	// maxRepetitions is the largest number of *, +, - and ? of a pattern of Lua.
	maxRepetitions = 3
	// maxPatterns is the largest number of patterns of Lua in one place.
	maxPatterns = 50
	// maxMatched is how much of a name is matched, in bytes. Hosts have no longer names
	// of branches.
	maxMatched = 255
)

func validQuery(text string) error {
	if _, err := tagquery.Parse(text); err != nil {
		return fmt.Errorf("%.200q is not a tag query: %w", text, err)
	}
	return nil
}

// validLuaPattern accepts a pattern of Lua (Lua 5.1 reference manual, 5.4.1).
func validLuaPattern(text string) error {
	if len(text) > maxPattern {
		return fmt.Errorf("the pattern has %d bytes; at most %d are possible", len(text), maxPattern)
	}
	if n := len(text) - len(strings.TrimRight(text, "%")); n%2 == 1 {
		return fmt.Errorf("%q is not a pattern of Lua: it ends with %%", text)
	}
	if n := repetitions(text); n > maxRepetitions {
		return fmt.Errorf("the pattern %q repeats %d times (*, +, - and ?); at most %d are possible", text, n, maxRepetitions)
	}
	if _, err := pm.Find(text, []byte("x"), 0, 1); err != nil {
		return fmt.Errorf("%q is not a pattern of Lua: %w", text, err)
	}
	return nil
}

// repetitions counts the characters that may repeat something, those in sets too.
func repetitions(pattern string) int {
	n := 0
	for i := 0; i < len(pattern); i++ {
		switch pattern[i] {
		case '%':
			i++
		case '*', '+', '-', '?':
			n++
		}
	}
	return n
}

// MatchLua reports whether a pattern of Lua is found in a name. A pattern that
// validLuaPattern refuses matches nothing.
func MatchLua(pattern, name string) bool {
	found, err := pm.Find(pattern, []byte(name[:min(len(name), maxMatched)]), 0, 1)
	return err == nil && len(found) > 0
}

func validFilePattern(text string) error {
	pattern := strings.TrimPrefix(text, "!")
	switch {
	case pattern == "":
		return errors.New("the pattern is empty; **/*.tf is an example of one")
	case len(pattern) > maxPattern:
		return fmt.Errorf("the pattern has %d bytes; at most %d are possible", len(pattern), maxPattern)
	case strings.HasPrefix(pattern, "/"):
		return fmt.Errorf("the pattern %q begins with /; patterns begin at the top of the repository, or with ${DIR}", text)
	}
	for rest := pattern; ; {
		_, after, found := strings.Cut(rest, "${")
		if !found {
			break
		}
		name, end, closed := strings.Cut(after, "}")
		if !closed || name != "DIR" && name != "WORKSPACE" {
			return fmt.Errorf("the pattern %q has the variable ${%.40s; the variables are ${DIR} and ${WORKSPACE}", text, after)
		}
		rest = end
	}
	if !doublestar.ValidatePattern(strings.NewReplacer("${DIR}", "d", "${WORKSPACE}", "w").Replace(pattern)) {
		return fmt.Errorf("%q is not a pattern: a bracket or brace is not closed", text)
	}
	return nil
}

// validDirKey accepts a path of a directory, or a pattern of file paths.
func validDirKey(name string) error {
	if strings.Contains(name, "*") {
		return validFilePattern(name)
	}
	switch {
	case name == "":
		return errors.New(`the path is empty; the top of the repository is "."`)
	case strings.HasPrefix(name, "/"):
		return fmt.Errorf("the path %q begins with /; paths begin at the top of the repository", name)
	case slices.Contains(strings.Split(name, "/"), ".."):
		return fmt.Errorf("the path %q has the part ..; write it from the top of the repository", name)
	}
	return nil
}

// validBranchGlob accepts a glob of the names of branches: * stands for any text, and a
// ! at the beginning excludes.
func validBranchGlob(text string) error {
	if glob := strings.TrimPrefix(text, "!"); glob == "" || len(glob) > maxPattern {
		return fmt.Errorf("%.40q is not the name of a branch; it has 1 to %d bytes, such as release/*", text, maxPattern)
	}
	return nil
}

// roles are the permissions of a repository, from the strongest.
var roles = []string{"admin", "maintain", "write", "triage", "read"}

func validApprover(text string) error { return validMatch(text) }

// validMatch accepts who is meant by an entry of a list of people.
func validMatch(text string) error {
	if text == "*" {
		return nil
	}
	kind, name, found := strings.Cut(text, ":")
	switch {
	case !found || name == "" || !slices.Contains([]string{"user", "team", "role", "repo"}, kind):
		return fmt.Errorf("%.80q names nobody; write user:LOGIN, team:SLUG, role:ROLE or *", text)
	case (kind == "role" || kind == "repo") && !slices.Contains(roles, name):
		return fmt.Errorf("%.80q has an unknown role%s; the roles are %s", text, suggestion(name, roles), strings.Join(roles, ", "))
	}
	return nil
}

func validWindow(text string) error {
	_, err := parseTimeOfDay(text)
	return err
}
