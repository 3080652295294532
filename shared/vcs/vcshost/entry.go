package vcshost

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// Odd is an entry of a host's list that is left out because it does not have the
// form of an entry.
type Odd struct {
	// ID is the host's id of the entry, in decimal digits. It is empty if it cannot
	// be read.
	ID string
	// Why says which member is wrong, without its value.
	Why string
}

// String describes the entry.
func (o Odd) String() string {
	if o.ID == "" {
		return "one without a readable id: " + o.Why
	}
	return o.ID + ": " + o.Why
}

// Entries decodes the entries of a host's list one by one. So an odd entry does not
// make the others unreadable. complete returns an error for an entry that lacks a
// member that is needed.
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

// id returns the id of an odd entry. It is empty if it cannot be read.
func id(text json.RawMessage) string {
	var entry struct {
		ID uint64 `json:"id"`
	}
	if err := json.Unmarshal(text, &entry); err != nil || entry.ID == 0 {
		return ""
	}
	return fmt.Sprint(entry.ID)
}

// why says what is wrong with an entry. The text holds no value that the host sent.
func why(err error) string {
	var member *json.UnmarshalTypeError
	if !errors.As(err, &member) {
		return shortened(err.Error())
	}
	kind, _, _ := strings.Cut(member.Value, " ") // after "number" comes the number itself
	if member.Field == "" {
		return "the entry is a JSON " + kind
	}
	return fmt.Sprintf("%s is a JSON %s", member.Field, kind)
}
