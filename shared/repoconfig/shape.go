package repoconfig

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/agnivade/levenshtein"
)

// shape says which values are possible in a place.
type shape interface {
	// check reports the mistakes of a value that is not null. It gives scalars the
	// kind that the place needs.
	check(c *checker, path string, v *value)
}

// checker collects mistakes.
type checker struct {
	// complete makes keys that are missing a mistake. A single file may leave to
	// another what is needed.
	complete bool
	mistakes Mistakes
}

func (c *checker) mistake(at Position, path, format string, args ...any) {
	if len(c.mistakes) < maxMistakes {
		c.mistakes = append(c.mistakes, Mistake{at, path, fmt.Sprintf(format, args...)})
	}
}

// check checks a value. Null unsets a key, so it is possible for each key.
func (c *checker) check(path string, v *value, of shape) {
	if v.kind != null {
		of.check(c, path, v)
	}
}

// is reports whether a value has a kind. Otherwise it is a mistake.
func (c *checker) is(path string, v *value, want kind) bool {
	if v.kind == want {
		return true
	}
	c.mistake(v.at, path, "this must be %s, and it is %s", want, v.kind)
	return false
}

// anything is the shape of a value that this server does not read.
type anything struct{}

func (anything) check(*checker, string, *value) {}

// words is the shape of a text. A number counts as its text, as it is written: the
// version 1.10 is not 1.1.
type words struct {
	// among are the possible texts. Empty means any.
	among []string
	// valid returns an error for a text that is not possible. It may be nil.
	valid func(string) error
}

func (w words) check(c *checker, path string, v *value) {
	if v.kind == number {
		v.kind = text
	}
	if !c.is(path, v, text) {
		return
	}
	if len(w.among) > 0 && !slices.Contains(w.among, v.text) {
		c.mistake(v.at, path, "%q is not possible here%s; possible are %s", v.text, suggestion(v.text, w.among), strings.Join(w.among, ", "))
		return
	}
	if w.valid != nil {
		if err := w.valid(v.text); err != nil {
			c.mistake(v.at, path, "%v", err)
		}
	}
}

// yesno is the shape of a boolean.
type yesno struct{}

func (yesno) check(c *checker, path string, v *value) { c.is(path, v, boolean) }

// integer is the shape of a whole number.
type integer struct{ least, most int }

func (n integer) check(c *checker, path string, v *value) {
	if !c.is(path, v, number) {
		return
	}
	got, err := strconv.Atoi(v.text)
	if err != nil || got < n.least || got > n.most {
		c.mistake(v.at, path, "%s is not possible here; this is a whole number from %d to %d", v.text, n.least, n.most)
	}
}

// decimal is the shape of a number that may have a fraction.
type decimal struct{}

func (decimal) check(c *checker, path string, v *value) {
	if c.is(path, v, number) {
		if _, err := strconv.ParseFloat(v.text, 64); err != nil {
			c.mistake(v.at, path, "%s is not a number in decimal form", v.text)
		}
	}
}

// each is the shape of a list.
type each struct {
	of shape
	// most is the largest number of elements. 0 means any.
	most int
}

func (e each) check(c *checker, path string, v *value) {
	if !c.is(path, v, list) {
		return
	}
	if e.most > 0 && len(v.elements) > e.most {
		c.mistake(v.at, path, "the list has %d elements; at most %d are possible", len(v.elements), e.most)
	}
	for i, element := range v.elements {
		at := fmt.Sprintf("%s[%d]", path, i)
		if element.kind == null {
			c.mistake(element.at, at, "an element of a list cannot be empty; remove it")
			continue
		}
		c.check(at, element, e.of)
	}
}

// table is the shape of an object whose keys the user names.
type table struct {
	of shape
	// valid returns an error for a name that is not possible. It may be nil.
	valid func(string) error
	// most is the largest number of members. 0 means any.
	most int
}

func (t table) check(c *checker, path string, v *value) {
	if !c.is(path, v, object) {
		return
	}
	if t.most > 0 && len(v.members) > t.most {
		c.mistake(v.at, path, "there are %d entries; at most %d are possible", len(v.members), t.most)
	}
	for _, m := range v.members {
		if t.valid != nil {
			if err := t.valid(m.name); err != nil {
				c.mistake(m.at, join(path, m.name), "%v", err)
			}
		}
		c.check(join(path, m.name), m.value, t.of)
	}
}

// key is a key of an object, with what the guide says of it.
type key struct {
	name string
	of   shape
	// fallback is the value without the key, for people.
	fallback string
	about    string
	needed   bool
}

// keys is the shape of an object with known keys.
type keys []key

func (k keys) check(c *checker, path string, v *value) {
	if !c.is(path, v, object) {
		return
	}
	for _, m := range v.members {
		i := slices.IndexFunc(k, func(known key) bool { return known.name == m.name })
		if i < 0 {
			c.mistake(m.at, join(path, m.name), "there is no such key here%s; the keys are %s", suggestion(m.name, k.names()), strings.Join(k.names(), ", "))
			continue
		}
		c.check(join(path, m.name), m.value, k[i].of)
	}
	for _, known := range k {
		if c.complete && known.needed && v.get(known.name) == nil {
			c.mistake(v.at, path, "the key %s is needed here: %s", known.name, known.about)
		}
	}
}

func (k keys) names() []string {
	names := make([]string, len(k))
	for i, known := range k {
		names[i] = known.name
	}
	return names
}

// with returns the keys and more of them.
func (k keys) with(more ...key) keys { return append(slices.Clone(k), more...) }

// kinds is the shape of a value that may have several kinds, each with a shape of its
// own.
type kinds map[kind]shape

func (k kinds) check(c *checker, path string, v *value) {
	is := v.kind
	if is == number && k[number] == nil {
		is = text
	}
	if of := k[is]; of != nil {
		of.check(c, path, v)
		return
	}
	var possible []string
	for kind := range k {
		possible = append(possible, kind.String())
	}
	slices.Sort(possible)
	c.mistake(v.at, path, "this must be %s, and it is %s", strings.Join(possible, " or "), v.kind)
}

// variant is the shape of an object whose keys depend on the text of one of them.
type variant struct {
	by string
	// fallback is the text that counts without the key. Without a fallback, the key is
	// needed.
	fallback string
	of       map[string]shape
	// other is the shape for a text that of does not have. Without it, such a text is a
	// mistake.
	other shape
}

func (a variant) check(c *checker, path string, v *value) {
	if !c.is(path, v, object) {
		return
	}
	found := v.get(a.by)
	name := found.str(a.fallback)
	if of := a.of[name]; of != nil {
		of.check(c, path, v)
		return
	}
	switch {
	case name == "":
		c.mistake(v.at, path, "the key %s is needed here; it is one of %s", a.by, strings.Join(a.names(), ", "))
	case a.other != nil:
		a.other.check(c, path, v)
	default:
		c.mistake(found.where(), join(path, a.by), "%q is not possible here%s; possible are %s", name, suggestion(name, a.names()), strings.Join(a.names(), ", "))
	}
}

func (a variant) names() []string {
	var names []string
	for name := range a.of {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// decided is the shape of an object whose shape its content decides.
type decided func(v *value) shape

func (d decided) check(c *checker, path string, v *value) {
	if c.is(path, v, object) {
		d(v).check(c, path, v)
	}
}

// maxDistance is how many characters a misspelt name may differ.
const maxDistance = 3

// suggestion returns "; did you mean NAME?" for a name that is like one that exists, and
// the empty text otherwise.
func suggestion(name string, known []string) string {
	if len(name) > 100 {
		return ""
	}
	distance := func(to string) int { return levenshtein.ComputeDistance(strings.ToLower(name), to) }
	if len(known) == 0 {
		return ""
	}
	nearest := slices.MinFunc(known, func(a, b string) int { return cmp.Compare(distance(a), distance(b)) })
	if distance(nearest) > min(maxDistance, len(name)/2) {
		return ""
	}
	return "; did you mean " + nearest + "?"
}
