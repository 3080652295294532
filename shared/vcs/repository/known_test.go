package repository

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/vcs"
)

// told is one fact in the form that a store receives, and what it adds to what is
// known.
type told struct {
	kind           string // seen, given or gone
	seen           vcs.Description
	version, there string
}

func (f told) known() known {
	name := FullName{f.seen.Owner, f.seen.Name}
	switch f.kind {
	case "gone":
		return known{emptied: vcs.Version(f.version)}
	case "given":
		return known{there: vcs.Version(f.version), listed: part[listing]{vcs.Version(f.version), listing{name, *f.seen.Private}}}
	}
	k := known{there: vcs.Version(f.there), named: part[FullName]{vcs.Version(f.version), name}}
	if p := f.seen.Private; p != nil {
		k.private = part[bool]{vcs.Version(f.version), *p}
	}
	if p := f.seen.Archived; p != nil {
		k.archived = part[bool]{vcs.Version(f.version), *p}
	}
	if p := f.seen.Setup; p != nil {
		k.setup = part[bool]{vcs.Version(f.version), *p}
	}
	if b := f.seen.DefaultBranch; b != "" {
		k.branch = part[string]{vcs.Version(f.version), b}
	}
	return k
}

// anyFacts draws facts of different versions, also facts that no host would state.
func anyFacts(t *rapid.T) []told {
	optional := rapid.Ptr(rapid.Bool(), true)
	times := rapid.IntRange(1, 9)
	facts := make([]told, rapid.IntRange(1, 7).Draw(t, "facts"))
	for i := range facts {
		f := told{kind: rapid.SampledFrom([]string{"seen", "seen", "given", "gone"}).Draw(t, "kind")}
		f.seen = vcs.Description{Owner: "acme", Name: fmt.Sprint("name", i), Private: optional.Draw(t, "private")}
		f.version = fmt.Sprintf("%d.%02d", times.Draw(t, "at"), i)
		switch f.kind {
		case "seen":
			f.seen.Archived, f.seen.Setup = optional.Draw(t, "archived"), optional.Draw(t, "setup")
			f.seen.DefaultBranch = rapid.SampledFrom([]string{"", fmt.Sprint("branch", i)}).Draw(t, "branch")
			if there := rapid.IntRange(0, 9).Draw(t, "there"); there > 0 {
				f.there = fmt.Sprintf("%d.%02d", there, i)
			}
		case "given":
			private := f.seen.Private != nil && *f.seen.Private
			f.seen.Private = &private
		}
		facts[i] = f
	}
	return facts
}

// disorder draws an order in which facts arrive, some of them more than once.
func disorder(t *rapid.T, facts []told, name string) []told {
	again := rapid.SliceOfN(rapid.SampledFrom(facts), 0, 3).Draw(t, name+" again")
	return rapid.Permutation(slices.Concat(facts, again)).Draw(t, name)
}

func joined(facts []told) known {
	var k known
	for _, f := range facts {
		k = k.join(f.known())
	}
	return k
}

func TestFactsJoinToTheSameInAnyOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		facts := anyFacts(t)
		one, other := joined(disorder(t, facts, "one")), joined(disorder(t, facts, "other"))
		if one != other {
			t.Fatalf("%+v and %+v", one, other)
		}
		r := attr.Read(one.attributes("7"))
		if read := knownOf(r); r.Err() != nil || read != normal(one) {
			t.Fatalf("written %+v, read %+v, %v", one, read, r.Err())
		}
	})
}

// normal removes the values that have no version.
func normal(k known) known {
	if k.private.version == "" {
		k.private.value = false
	}
	return k
}

// TestStoreKeepsWhatFactsJoinTo stores facts in any order, and some of them again.
// What is stored, and what readers see, must equal the joined facts.
func TestStoreKeepsWhatFactsJoinTo(t *testing.T) {
	t.Parallel()
	_, s := open(t)
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		const id = "7"
		installation := fmt.Sprint(n)
		facts := anyFacts(rt)
		for _, f := range disorder(rt, facts, "order") {
			f.seen.ID = id
			var err error
			switch f.kind {
			case "gone":
				err = s.Gone(t.Context(), author, vcs.Installation{VCS: "github", ID: vcs.ID(installation)}.Repository(vcs.ID(id)), vcs.Version(f.version), nil)
			case "given":
				err = s.Given(t.Context(), author, vcs.Installation{VCS: "github", ID: vcs.ID(installation)}, f.seen, vcs.Version(f.version))
			default:
				err = s.Describe(t.Context(), author, vcs.Installation{VCS: "github", ID: vcs.ID(installation)}, f.seen, vcs.Version(f.version), vcs.Version(f.there))
			}
			if err != nil {
				rt.Fatal(err)
			}
		}
		want := joined(facts)
		if got := read(t, s, installation, id); got != want {
			rt.Fatalf("kept\n%+v, want\n%+v", got, want)
		}
		got, err := s.Get(t.Context(), vcs.Installation{VCS: "github", ID: vcs.ID(installation)}.Repository(vcs.ID(id)))
		if want.gone() != (err != nil) {
			rt.Fatalf("gone %t, and reading it answers %v", want.gone(), err)
		}
		shown := Repository{
			ID: id, Owner: want.name().Owner, Name: want.name().Name, DefaultBranch: want.branch.value, Archived: want.archived.value,
			Private: want.isPrivate(), Setup: want.setup.value, KnownSince: author.At.UTC(),
		}
		if err == nil && got != shown {
			rt.Fatalf("shown\n%+v, want\n%+v", got, shown)
		}
		list, err := s.List(t.Context(), vcs.Installation{VCS: "github", ID: vcs.ID(installation)}, Query{Limit: 2})
		if err != nil || slices.Contains(list, shown) == want.gone() {
			rt.Fatalf("listed %+v, %v, want %+v", list, err, shown)
		}
	})
}

// read returns what is stored about a repository.
func read(t *testing.T, s Store, installation, id string) known {
	t.Helper()
	r := attr.Read(item(t, s, installation, id))
	k := knownOf(r)
	if r.Err() != nil {
		t.Fatal(r.Err())
	}
	return k
}

// TestAnyOrderEndsWithTheTruth simulates a host with a clock. Its deliveries are up
// to ten minutes late and are processed in any order.
func TestAnyOrderEndsWithTheTruth(t *testing.T) {
	t.Parallel()
	for seed := range uint64(3000) {
		random := rand.New(rand.NewPCG(seed, 7))
		h := host{random: random}
		for range 2 + random.IntN(12) {
			h.live()
		}
		var k known
		order := random.Perm(len(h.told))
		for _, i := range append(order, order[:len(order)/2]...) {
			k = k.join(h.told[i])
		}
		if len(h.told) == 0 {
			continue
		}
		if k.gone() == h.there {
			t.Fatalf("seed %d: gone %t; at the host it is there: %t\n%+v", seed, k.gone(), h.there, h.told)
		}
		if h.there && (k.name() != h.name() || k.isPrivate() != h.private || k.archived.version != "" && k.archived.value != h.archived && h.tellsAll) {
			t.Fatalf("seed %d: %s, private %t; at the host %+v\n%+v", seed, k.name(), k.isPrivate(), h, h.told)
		}
	}
}

// host is one repository, and the host that reports it.
type host struct {
	random                   *rand.Rand
	clock, updated           int // seconds
	renamed                  int
	private, archived, there bool
	tellsAll                 bool // since it was last given
	deleted                  bool
	lost                     int // arrival of the last fact that it was lost or given, in milliseconds
	told                     []known
}

func (h *host) name() FullName { return FullName{"acme", fmt.Sprint("name", h.renamed)} }

// version returns the version of a fact of a time in seconds. The fact arrives at a
// time in milliseconds.
func version(at, arrived int) string { return fmt.Sprintf("%013d.00.%013d", at*1000, arrived) }

// arrival returns the version of a fact whose time is its arrival.
func arrival(at int) string { return fmt.Sprintf("%013d.00.%013d", at, at) }

// late returns the arrival time of a delivery that is made now.
func (h *host) late() int { return h.clock*1000 + 1 + h.random.IntN(600_000) }

// live lets a second or some minutes pass, and then something happen.
func (h *host) live() {
	h.clock += 1 + h.random.IntN(3)*h.random.IntN(900)
	if h.deleted {
		return
	}
	switch what := h.random.IntN(12); {
	case what < 3: // its settings change; the host states the owner
		h.updated = h.clock
		switch h.random.IntN(3) {
		case 0:
			h.renamed++
		case 1:
			h.private = !h.private
		default:
			h.archived = !h.archived
		}
		h.tell(h.updated)
	case what < 8: // an event mentions it: a pull request was updated just now
		h.tell(h.clock)
	case what < 11:
		// The host does not state the time at which the repository was lost or
		// given. So in this test these facts arrive in order, and the repository is
		// given back only after the fact of the loss has arrived. Otherwise nobody
		// can know the order.
		h.clock = max(h.clock, h.lost/1000+1)
		h.lost = h.late()
		if h.there {
			h.told = append(h.told, known{emptied: vcs.Version(arrival(h.lost))})
		} else {
			at := arrival(h.lost)
			h.told = append(h.told, known{there: vcs.Version(at), listed: part[listing]{vcs.Version(at), listing{h.name(), h.private}}})
		}
		h.there = !h.there
		h.tellsAll = false
	default: // never given back
		if h.there {
			h.lost = max(h.lost+1, h.late())
			h.told = append(h.told, known{emptied: vcs.Version(arrival(h.lost))})
			h.there, h.deleted = false, true
		}
	}
}

func (h *host) tell(there int) {
	if !h.there {
		return
	}
	arrived := h.late()
	v := version(h.updated, arrived)
	h.told = append(h.told, known{
		there: vcs.Version(version(there, arrived)), named: part[FullName]{vcs.Version(v), h.name()}, private: part[bool]{vcs.Version(v), h.private}, archived: part[bool]{vcs.Version(v), h.archived},
	})
	h.tellsAll = true
}
