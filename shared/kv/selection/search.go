package selection

import "slices"

// seeker is the state of one item during the walk: the rest of its path. In each
// value, an item has at most one seeker, because a path does not branch.
type seeker struct {
	item  int
	steps []step
	// unwrap says that a name may look into the elements of an array. Lax mode
	// allows this for one level.
	unwrap bool
}

// search is what the walk looks for in a value: the seekers that have reached it.
// The consequences for each kind of value are computed once and kept. So a walk
// does not ask fifty seekers at each of a million elements.
type search struct {
	seekers []seeker
	in      [kinds]*place // nil if not yet computed, or not kept
}

// search returns the search for all items of s in a whole value.
func (s Selection) search() *search {
	n := &search{}
	for i, it := range s {
		n.seekers = append(n.seekers, seeker{i, it.steps, true})
	}
	return n
}

// Kinds of values. Paths do not distinguish more kinds.
const (
	scalar = iota
	object
	array
	kinds
)

// place is the result of a search in a value of one kind.
type place struct {
	// matches are the items that match such a value.
	matches []int
	// members are the searches in the members of an object, by the member's name in
	// the form of a canonical text; nil if there are none.
	members map[string]*search
	// every is the search in the elements of an array; nil if there is none. The
	// elements at indices, which are in ascending order, have searches of their own
	// (see element).
	every    *search
	indices  []int
	indexed  []seeker
	elements map[int]*search
}

// searches limits how many searches and places are kept.
type searches struct{ kept int }

// maxKept is the maximum number of seekers that are kept together, about 3 MB.
// Texts and paths that are made to exceed it need more; their searches are computed
// again each time.
const maxKept = 1 << 16

// keep reports whether a search or place with this number of seekers is kept.
func (k *searches) keep(seekers int) bool {
	k.kept += seekers + 1
	return k.kept <= maxKept
}

// in returns the result of the search n in a value that begins with the byte c.
func (k *searches) in(n *search, c byte) *place {
	kind := scalar
	switch c {
	case '{':
		kind = object
	case '[':
		kind = array
	}
	if p := n.in[kind]; p != nil {
		return p
	}
	p := &place{}
	for _, s := range n.seekers {
		if len(s.steps) > 0 && kind != array {
			s.steps = s.steps[s.steps[0].alike:]
		}
		switch {
		case len(s.steps) == 0:
			p.matches = append(p.matches, s.item)
		case kind == object && s.steps[0].name != nil:
			p.addMember(s)
		case kind == array && (s.steps[0].name == nil || s.unwrap):
			p.addElement(s)
		}
	}
	slices.Sort(p.indices)
	p.indices = slices.Compact(p.indices)
	if k.keep(len(n.seekers)) {
		n.in[kind] = p
	}
	return p
}

func (p *place) addMember(s seeker) {
	if p.members == nil {
		p.members = map[string]*search{}
	}
	name := string(s.steps[0].name)
	if p.members[name] == nil {
		p.members[name] = &search{}
	}
	p.members[name].seekers = append(p.members[name].seekers, seeker{s.item, s.steps[1:], true})
}

func (p *place) addElement(s seeker) {
	if p.every == nil {
		p.every = &search{}
	}
	switch {
	case s.steps[0].name != nil:
		p.every.seekers = append(p.every.seekers, seeker{s.item, s.steps, false})
	case s.steps[0].every:
		p.every.seekers = append(p.every.seekers, seeker{s.item, s.steps[1:], true})
	default:
		p.indices, p.indexed = append(p.indices, s.steps[0].index), append(p.indexed, s)
	}
}

// element returns the search in the element at one of the indices.
func (k *searches) element(p *place, index int) *search {
	if n := p.elements[index]; n != nil {
		return n
	}
	n := &search{seekers: slices.Clone(p.every.seekers)}
	for _, s := range p.indexed {
		if s.steps[0].index == index {
			n.seekers = append(n.seekers, seeker{s.item, s.steps[1:], true})
		}
	}
	if k.keep(len(n.seekers)) {
		if p.elements == nil {
			p.elements = map[int]*search{}
		}
		p.elements[index] = n
	}
	return n
}
