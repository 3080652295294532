package repository

// prefix begins the partition key of every repository.
const prefix = "REPOSITORIES#"

// Attributes of an item. Times are Unix seconds. Readers see the first group, and
// the versions say of which fact each attribute is. Attributes whose names begin
// with "listed" or "before" are not shown, but a later fact may need them.
const (
	attrID       = "id"
	attrOwner    = "owner"
	attrName     = "name"
	attrPrivate  = "private"
	attrBranch   = "branch"
	attrArchived = "archived"
	attrSetup    = "setup"
	attrGone     = "gone"
	attrCreated  = "created_at"
	attrByName   = "by_name" // the sort key of the index with the same name

	attrSeen         = "seen"    // the newest version that proves that the repository exists
	attrEmptied      = "emptied" // the newest version that says that it was gone
	attrSeenName     = "seen_name"
	attrSeenPrivate  = "seen_private"
	attrSeenBranch   = "seen_branch"
	attrSeenArchived = "seen_archived"
	attrSeenSetup    = "seen_setup"

	attrListed        = "listed" // the version of the listing
	attrListedOwner   = "listed_owner"
	attrListedName    = "listed_name"
	attrListedPrivate = "listed_private"
	attrBeforeOwner   = "before_owner"
	attrBeforeName    = "before_name"
	attrBeforePrivate = "before_private"

	attrRevision = "rev" // counts the writes of the item
	attrTTL      = "ttl"
)

// indexByName is the index that lists the repositories that are not gone.
const indexByName = attrByName

// described are the attributes of the description. The attributes of listed are not
// among them.
var described = []string{
	attrByName, attrOwner, attrName, attrPrivate, attrBranch, attrArchived, attrSetup,
	attrSeenName, attrSeenPrivate, attrSeenBranch, attrSeenArchived, attrSeenSetup,
}
