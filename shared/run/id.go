package run

import (
	"fmt"

	"github.com/google/uuid"
)

// ID names a run: a lower-case UUID of version 4. Readers of runs see it, so it is no
// credential: the CI job shows a work token instead (package worktoken).
type ID string

// NewID returns a new random ID.
func NewID() ID { return ID(uuid.NewString()) }

// idLength is the length of the one accepted form of an ID, in characters.
const idLength = 36

// ParseID returns the lower-case form of a text as an ID. It accepts every version
// of UUID, because an unknown ID is not found anyway.
func ParseID(text string) (ID, error) {
	id, err := uuid.Parse(text)
	if err != nil || len(text) != idLength {
		return "", fmt.Errorf("%.40q is not the id of a run; it is a UUID, such as 0b6e1f9e-6f0c-4c49-9a9d-5d8f6a3f7b11", text)
	}
	return ID(id.String()), nil
}
