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

// described are the attributes of the description. The attributes of listed are not
// among them.
var described = []string{
	"by_name", "owner", "name", "private", "branch", "archived", "setup", "seen_name", "seen_private", "seen_branch", "seen_archived", "seen_setup",
}

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
	item := attr.Item{"id": attr.String(string(id))}
	version := func(name string, version vcs.Version) bool {
		if version != "" {
			item[name] = attr.String(string(version))
		}
		return version != ""
	}
	version("seen", k.there)
	version("emptied", k.emptied)
	if name := k.name(); name != (FullName{}) {
		item["owner"], item["name"] = attr.String(name.Owner), attr.String(name.Name)
	}
	if version("seen_name", k.named.version) && k.outdated(k.named.version) {
		item["before_owner"], item["before_name"] = attr.String(k.named.value.Owner), attr.String(k.named.value.Name)
	}
	if k.private.version != "" || k.listed.version != "" {
		item["private"] = attr.Bool(k.isPrivate())
	}
	if version("seen_private", k.private.version) && k.outdated(k.private.version) {
		item["before_private"] = attr.Bool(k.private.value)
	}
	if version("seen_branch", k.branch.version) {
		item["branch"] = attr.String(k.branch.value)
	}
	if version("seen_archived", k.archived.version) {
		item["archived"] = attr.Bool(k.archived.value)
	}
	if version("seen_setup", k.setup.version) {
		item["setup"] = attr.Bool(k.setup.value)
	}
	if version("listed", k.listed.version) {
		item["listed_owner"], item["listed_name"] = attr.String(k.listed.value.Owner), attr.String(k.listed.value.Name)
		item["listed_private"] = attr.Bool(k.listed.value.private)
	}
	if k.gone() {
		item["gone"] = attr.Bool(true)
	} else {
		item["by_name"] = attr.String(cursor(k.name().Name, id))
	}
	return item
}

// knownOf reads what attributes has written.
func knownOf(r *attr.Reader) known {
	version := func(name string) vcs.Version { return vcs.Version(r.String(name)) }
	k := known{there: version("seen"), emptied: version("emptied")}
	k.listed = part[listing]{version("listed"), listing{
		FullName{r.String("listed_owner"), r.String("listed_name")}, r.Bool("listed_private"),
	}}
	k.named.version, k.private.version = version("seen_name"), version("seen_private")
	switch {
	case k.named.version == "":
	case k.outdated(k.named.version):
		k.named.value = FullName{r.String("before_owner"), r.String("before_name")}
	default:
		k.named.value = FullName{r.String("owner"), r.String("name")}
	}
	switch {
	case k.private.version == "":
	case k.outdated(k.private.version):
		k.private.value = r.Bool("before_private")
	default:
		k.private.value = r.Bool("private")
	}
	k.branch = part[string]{version("seen_branch"), r.String("branch")}
	k.archived = part[bool]{version("seen_archived"), r.Bool("archived")}
	k.setup = part[bool]{version("seen_setup"), r.Bool("setup")}
	return k
}
