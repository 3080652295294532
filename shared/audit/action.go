package audit

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// verbs are what can be done to each kind of thing. The last part of an action is
// one of them.
var verbs = map[string][]string{
	"api_key":      {"create", "change", "revoke", "remove", "erase"},
	"grant":        {"create", "change", "remove", "erase"},
	"group_token":  {"create", "change", "remove", "erase"},
	"installation": {"create", "change", "remove", "erase"},
	"key":          {"write", "draft", "commit", "remove", "discard_write"},
	"lock":         {"release"},
	"pull_request": {"create", "change"},
	"repository":   {"create", "change", "remove", "erase"},
	"run":          {"create", "start", "complete", "abort", "remove", "erase"},
	"session":      {"create", "change", "end", "remove"},
	"signing_key":  {"create", "change", "remove"},
	"task":         {"create", "change", "remove"},
	"unreadable":   {"change"},
	"upload":       {"create", "complete", "abort", "refuse", "expire", "remove"},
	"user":         {"create", "change", "remove", "erase"},
}

// Kinds returns the kinds of all records, in alphabetical order.
func Kinds() []string { return slices.Sorted(maps.Keys(verbs)) }

// CheckAction returns an error for a text that cannot be a filter for actions,
// because no record matches it. A filter is an action, such as "key.write", or a
// kind and a dot, for everything that is done to things of that kind. The error
// says what to write instead.
func CheckAction(filter string) error {
	kind, verb, dotted := strings.Cut(filter, ".")
	switch known := verbs[kind]; {
	case known == nil || !dotted:
		return fmt.Errorf("it must be an action such as api_key.change, or a kind with a dot, such as api_key., for all actions of the kind; kinds are %s", strings.Join(Kinds(), ", "))
	case verb != "" && !slices.Contains(known, verb):
		return fmt.Errorf("there is no action %.64q; those of the kind %s are %s.%s", filter, kind, kind, strings.Join(known, ", "+kind+"."))
	}
	return nil
}
