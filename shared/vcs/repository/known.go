package repository

import (
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/vcs"
)

// known is what is stored about one repository, and also what one fact states about
// it. Each part has the version of the newest fact that stated it. To store a fact
// is to join the two, part by part. So the order of facts does not matter, and it
// does not matter how often they arrive.
type known struct {
	// there is the largest version that proves that the repository exists. emptied
	// is the largest version that says that the repository, with all within it, was
	// gone.
	there, emptied vcs.Version
	// The parts that facts describe.
	named    part[FullName]
	private  part[bool]
	branch   part[string]
	archived part[bool]
	setup    part[bool]
	// listed is the repository's name when the installation was given it. It is as
	// of any time since the repository was last gone.
	listed part[listing]
}

// part is a value as of a version. It is empty until a fact states it.
type part[T any] struct {
	version vcs.Version
	value   T
}

// listing is what a fact states about a repository that an installation is given.
type listing struct {
	FullName
	private bool
}

func newer[T any](a, b part[T]) part[T] {
	if b.version > a.version {
		return b
	}
	return a
}

func (k known) join(fact known) known {
	return known{
		there: max(k.there, fact.there), emptied: max(k.emptied, fact.emptied),
		named: newer(k.named, fact.named), private: newer(k.private, fact.private), branch: newer(k.branch, fact.branch),
		archived: newer(k.archived, fact.archived), setup: newer(k.setup, fact.setup), listed: newer(k.listed, fact.listed),
	}
}

// gone reports whether the repository no longer exists for the installation.
func (k known) gone() bool { return k.emptied > k.there }

// erased returns what stays when the description is deleted.
func (k known) erased() known { return known{there: k.there, emptied: k.emptied} }

// outdated reports whether a description of a version is too old to use: the
// repository was gone after it, and was given again since.
func (k known) outdated(version vcs.Version) bool {
	return k.listed.version != "" && (version == "" || version < k.emptied && k.emptied < k.listed.version)
}

// name returns the repository's newest known name.
func (k known) name() FullName {
	if k.outdated(k.named.version) {
		return k.listed.value.FullName
	}
	return k.named.value
}

// isPrivate reports whether the repository is private, as far as is known.
func (k known) isPrivate() bool {
	if k.outdated(k.private.version) {
		return k.listed.value.private
	}
	return k.private.value
}

// attributes returns the attributes of the item, without its key and its author.
// Readers see most of them. The attributes whose names begin with "listed" or
// "before" are not shown, but a later fact may need them.
func (k known) attributes(id vcs.ID) attr.Item {
	item := attr.Item{attrID: attr.String(string(id))}
	version := func(name string, version vcs.Version) bool {
		if version != "" {
			item[name] = attr.String(string(version))
		}
		return version != ""
	}
	version(attrSeen, k.there)
	version(attrEmptied, k.emptied)
	if name := k.name(); name != (FullName{}) {
		item[attrOwner], item[attrName] = attr.String(name.Owner), attr.String(name.Name)
	}
	if version(attrSeenName, k.named.version) && k.outdated(k.named.version) {
		item[attrBeforeOwner], item[attrBeforeName] = attr.String(k.named.value.Owner), attr.String(k.named.value.Name)
	}
	if k.private.version != "" || k.listed.version != "" {
		item[attrPrivate] = attr.Bool(k.isPrivate())
	}
	if version(attrSeenPrivate, k.private.version) && k.outdated(k.private.version) {
		item[attrBeforePrivate] = attr.Bool(k.private.value)
	}
	if version(attrSeenBranch, k.branch.version) {
		item[attrBranch] = attr.String(k.branch.value)
	}
	if version(attrSeenArchived, k.archived.version) {
		item[attrArchived] = attr.Bool(k.archived.value)
	}
	if version(attrSeenSetup, k.setup.version) {
		item[attrSetup] = attr.Bool(k.setup.value)
	}
	if version(attrListed, k.listed.version) {
		item[attrListedOwner], item[attrListedName] = attr.String(k.listed.value.Owner), attr.String(k.listed.value.Name)
		item[attrListedPrivate] = attr.Bool(k.listed.value.private)
	}
	if k.gone() {
		item[attrGone] = attr.Bool(true)
	} else {
		item[attrByName] = attr.String(cursor(k.name().Name, id))
	}
	return item
}

// knownOf reads what attributes has written.
func knownOf(r *attr.Reader) known {
	version := func(name string) vcs.Version { return vcs.Version(r.String(name)) }
	k := known{there: version(attrSeen), emptied: version(attrEmptied)}
	k.listed = part[listing]{version(attrListed), listing{
		FullName{r.String(attrListedOwner), r.String(attrListedName)}, r.Bool(attrListedPrivate),
	}}
	k.named.version, k.private.version = version(attrSeenName), version(attrSeenPrivate)
	switch {
	case k.named.version == "":
	case k.outdated(k.named.version):
		k.named.value = FullName{r.String(attrBeforeOwner), r.String(attrBeforeName)}
	default:
		k.named.value = FullName{r.String(attrOwner), r.String(attrName)}
	}
	switch {
	case k.private.version == "":
	case k.outdated(k.private.version):
		k.private.value = r.Bool(attrBeforePrivate)
	default:
		k.private.value = r.Bool(attrPrivate)
	}
	k.branch = part[string]{version(attrSeenBranch), r.String(attrBranch)}
	k.archived = part[bool]{version(attrSeenArchived), r.Bool(attrArchived)}
	k.setup = part[bool]{version(attrSeenSetup), r.Bool(attrSetup)}
	return k
}
