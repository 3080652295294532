package repoconfig

// kind is the kind of a value.
type kind int

const (
	null kind = iota
	object
	list
	text
	number
	boolean
)

// String returns the name of a kind with its article, for people.
func (k kind) String() string {
	return [...]string{"empty", "an object", "a list", "a text", "a number", "true or false"}[k]
}

// value is a value of a file.
type value struct {
	kind kind
	at   Position
	// members are those of an object, in the order of the file. No name occurs twice.
	members []member
	// elements are those of a list.
	elements []*value
	// text is a scalar as it is written, without quotes.
	text string
}

// member is a member of an object.
type member struct {
	name  string
	at    Position // of the name
	value *value
}

// get returns a member's value, or nil. A member that is null is like one that is not
// there.
func (v *value) get(name string) *value {
	if v == nil || v.kind != object {
		return nil
	}
	for _, m := range v.members {
		if m.name == name {
			if m.value.kind == null {
				return nil
			}
			return m.value
		}
	}
	return nil
}

// set gives a member a value. It removes the member if the value is nil. It returns a
// copy: values are shared between documents.
func (v *value) set(name string, to *value) *value {
	made := *v
	made.members = nil
	for _, m := range v.members {
		if m.name != name {
			made.members = append(made.members, m)
		}
	}
	if to != nil {
		made.members = append(made.members, member{name, to.at, to})
	}
	return &made
}

// str returns a text, or the fallback if there is none.
func (v *value) str(fallback string) string {
	if v == nil {
		return fallback
	}
	return v.text
}

// flag returns a boolean, or the fallback if there is none.
func (v *value) flag(fallback bool) bool {
	if v == nil {
		return fallback
	}
	return v.text == "true"
}

// list returns the elements of a list; of nil none.
func (v *value) list() []*value {
	if v == nil {
		return nil
	}
	return v.elements
}

// texts returns the texts of a list. It returns nil only if there is no list.
func (v *value) texts() []string {
	if v == nil {
		return nil
	}
	made := make([]string, len(v.elements))
	for i, e := range v.elements {
		made[i] = e.text
	}
	return made
}

// entries returns the members of an object that are not null.
func (v *value) entries() []member {
	if v == nil {
		return nil
	}
	var made []member
	for _, m := range v.members {
		if m.value.kind != null {
			made = append(made, m)
		}
	}
	return made
}

// where returns the position of a value, or the position of a default.
func (v *value) where() Position {
	if v == nil {
		return Position{}
	}
	return v.at
}
