package vcshost

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/opsplane/opsplane/shared/vcs/shorten"
)

// Odd is an entry of a host's list that is left out, as it has not the form of
// one.
type Odd struct {
	// ID is the host's id of it, decimal digits; empty if that cannot be read.
	ID string
	// Why says which member is not as it should be, without its value.
	Why string
}

// String is the entry in words.
func (o Odd) String() string {
	if o.ID == "" {
		return "one without a readable id: " + o.Why
	}
	return o.ID + ": " + o.Why
}

// Entries reads the entries of a host's list, each by itself, so that an odd one
// does not cost the others. complete answers an error for one that lacks what is
// needed of it.
func Entries[T any](list []json.RawMessage, complete func(T) error) (entries []T, odd []Odd) {
	entries = make([]T, 0, len(list))
	for _, text := range list {
		var entry T
		err := json.Unmarshal(text, &entry)
		if err == nil {
			err = complete(entry)
		}
		if err != nil {
			odd = append(odd, Odd{id(text), why(err)})
			continue
		}
		entries = append(entries, entry)
	}
	return entries, odd
}

// id reads the id of an entry that is odd otherwise.
func id(text json.RawMessage) string {
	var entry struct {
		ID uint64 `json:"id"`
	}
	if err := json.Unmarshal(text, &entry); err != nil || entry.ID == 0 {
		return ""
	}
	return fmt.Sprint(entry.ID)
}

// why says what is odd, without a value of the host's.
func why(err error) string {
	var member *json.UnmarshalTypeError
	if !errors.As(err, &member) {
		return shorten.Head(err.Error(), MaxWords)
	}
	kind, _, _ := strings.Cut(member.Value, " ") // behind a number stands its text
	if member.Field == "" {
		return "the entry is a JSON " + kind
	}
	return fmt.Sprintf("%s is a JSON %s", member.Field, kind)
}
