package repoconfig

// overrides are the keys that always have the value of the default branch, if its file
// does not say otherwise.
var overrides = []string{"access_control", "apply_requirements", "destination_branches"}

const overridesKey = "default_branch_overrides"

// override replaces the keys of a document that the default branch keeps for itself.
func override(own, base *value) *value {
	names := overrides
	if given := base.get(overridesKey); given != nil {
		names = given.texts()
	}
	for _, name := range append([]string{overridesKey}, names...) {
		own = own.set(name, base.get(name))
	}
	return own
}
