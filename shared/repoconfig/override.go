package repoconfig

// overrides are the keys that always have the value of the default branch, if its file
// does not say otherwise.
var overrides = []string{"access_control", "apply_requirements", "destination_branches"}

const overridesKey = "default_branch_overrides"

// override replaces the keys of a document that the default branch keeps for itself.
//
// Some things have the value of the default branch whatever default_branch_overrides says,
// because with them a pull request would let this server act without the people whom its
// rules ask: automerge, and the stacks that are applied by themselves. A default branch that
// turns this server off turns it off for every pull request.
func override(own, base *value) *value {
	own = own.set("automerge", base.get("automerge"))
	own = own.set("stacks", autoApplied(own.get("stacks"), base.get("stacks")))
	if enabled := base.get("enabled"); enabled != nil && !enabled.flag(true) {
		own = own.set("enabled", enabled)
	}
	names := overrides
	if given := base.get(overridesKey); given != nil {
		names = given.texts()
	}
	for _, name := range append([]string{overridesKey}, names...) {
		own = own.set(name, base.get(name))
	}
	return own
}

// autoApplied returns stacks in which auto_apply is that of the default branch.
func autoApplied(own, base *value) *value {
	names := own.get("names")
	if names == nil {
		return own
	}
	for _, m := range names.entries() {
		rules := m.value.get("rules")
		if rules.get("auto_apply") == nil {
			continue
		}
		rules = rules.set("auto_apply", base.get("names").get(m.name).get("rules").get("auto_apply"))
		names = names.set(m.name, m.value.set("rules", rules))
	}
	return own.set("names", names)
}
