package repoconfig

import "sync"

// schema returns the shape of the whole file.
var schema = sync.OnceValue(func() shape {
	return keys{
		{"version", words{among: []string{"1"}}, `"1"`, "version of the form of this file", false},
		{"enabled", yesno{}, "true", "whether this server does anything for the repository", false},
		{"definitions", anything{}, "", "place for YAML anchors; nothing reads it", false},
		{"when_modified", whenModified(), "", "which changed files make a directory planned", false},
		{"dirs", table{of: dirShape(), valid: validDirKey}, "", "settings of directories, by path or by a pattern of file paths with *", false},
		{"tags", keys{
			{"branch", table{of: words{valid: validLuaPattern}, most: maxPatterns}, "", "tags by the name of the source branch; the first pattern that matches gives its tag", false},
			{"dest_branch", table{of: words{valid: validLuaPattern}, most: maxPatterns}, "", "tags by the name of the destination branch; the first pattern that matches gives its tag", false},
		}, "", "tags that branches give to all dirspaces", false},
		{"workflows", each{of: workflowShape()}, "", "steps, engine and environment of dirspaces; the first entry whose tag_query matches is used", false},
		{"hooks", keys{
			{"all", hookShape(), "", "hooks of plans and applies", false},
			{"plan", hookShape(), "", "hooks of plans", false},
			{"apply", hookShape(), "", "hooks of applies", false},
		}, "", "steps before and after the work of a run", false},
		{"engine", engineShape(), "terraform", "the program that plans and applies", false},
		{"default_tf_version", words{}, "", "version of Terraform where the engine names none", false},
		{"parallel_runs", integer{1, 1000}, "3", "how many dirspaces a run works on at the same time", false},
		{"create_and_select_workspace", yesno{}, "true", "whether the runner creates and selects workspaces", false},
		{"checkout_strategy", words{among: []string{"merge", "checkout"}}, "merge", "has no effect: the runner always merges", false},
		{"destination_branches", each{of: destinationShape()}, "the default branch", "branches whose pull requests are planned; globs with *, ! excludes", false},
		{"default_branch_overrides", each{of: words{among: overridable}}, "access_control, apply_requirements, destination_branches", "keys that always have the value of the default branch", false},
		{"apply_requirements", applyRequirementsShape(), "", "what an apply needs", false},
		{"access_control", accessControlShape(), "", "who may plan, apply, force, unlock and change the configuration", false},
		{"automerge", keys{
			{"enabled", yesno{}, "false", "whether a pull request is merged when all of it is applied", false},
			{"delete_branch", yesno{}, "false", "whether its branch is deleted afterwards", false},
			{"merge_strategy", words{among: []string{"auto", "merge", "rebase", "squash"}}, "auto", "how it is merged", false},
			{"require_explicit_apply", yesno{}, "false", "whether only an apply by a comment leads to a merge", false},
			{"retain_pr_title", yesno{}, "false", "whether a commit of the strategy squash has the title of the pull request", false},
		}, "", "merging of pull requests", false},
		{"batch_runs", keys{
			{"enabled", yesno{}, "false", "whether a run has at most max_workspaces_per_batch dirspaces", false},
			{"max_workspaces_per_batch", integer{-1 << 31, 1<<31 - 1}, "1", "dirspaces of one run; values below 1 count as 1", false},
		}, "", "splitting of runs", false},
		{"stacks", keys{
			{"names", table{of: decided(stackShape)}, "", "the stacks by name", true},
		}, "one stack named default", "named groups of dirspaces with an order and variables", false},
		{"drift", decided(driftShape), "off", "scheduled plans that compare the infrastructure with the default branch", false},
		{"notifications", keys{
			{"policies", each{of: keys{
				{"tag_query", query, "", "the dirspaces that the entry is for", true},
				{"comment_strategy", words{among: []string{"append", "delete", "minimize", "update"}}, "minimize", "what happens to older comments; update edits one comment in place", false},
			}}, "", "how comments are made; the first entry whose tag_query matches is used", false},
			{"summary", keys{{"enabled", yesno{}, "false", "has no effect: comments always begin with a summary", false}}, "", "summary at the head of comments", false},
		}, "", "comments in pull requests", false},
		{"storage", keys{
			{"plans", variant{by: "method", of: map[string]shape{
				"terrateam": keys{{"method", words{}, "", "terrateam: this server keeps plans", true}},
				"cmd": keys{
					{"method", words{}, "", "cmd: commands of your own keep plans", true},
					{"store", texts, "", "command that stores a plan", true},
					{"fetch", texts, "", "command that fetches a plan", true},
					{"delete", texts, "", "command that deletes a plan", false},
				},
				"s3": keys{
					{"method", words{}, "", "s3: plans are in a bucket of your own", true},
					{"bucket", words{}, "", "name of the bucket", true},
					{"region", words{}, "", "region of the bucket", true},
					{"path", words{}, "", "pattern of the names of objects", false},
					{"access_key_id", words{}, "", "access key of the runner", false},
					{"secret_access_key", words{}, "", "secret of the access key", false},
					{"store_extra_args", texts, "", "more arguments of the command that stores", false},
					{"fetch_extra_args", texts, "", "more arguments of the command that fetches", false},
					{"delete_extra_args", texts, "", "more arguments of the command that deletes", false},
					{"delete_used_plans", yesno{}, "true", "whether a plan is deleted after its apply", false},
				},
			}}, "terrateam", "where plans are kept", false},
		}, "", "where the runner keeps things", false},
		{"cost_estimation", keys{
			{"enabled", yesno{}, "true", "has no effect yet: this server has no service for prices, so runners estimate nothing", false},
			{"provider", words{among: []string{"infracost"}}, "infracost", "the program that estimates", false},
			{"currency", words{}, "USD", "currency of the estimates", false},
		}, "", "estimates of costs in plans", false},
		{"config_builder", builderShape("the script that makes the configuration"), "", "has no effect yet: would make the configuration in a CI job", false},
		{"tree_builder", builderShape("the script that lists the files"), "", "has no effect yet: would make the list of files in a CI job", false},
		{"indexer", keys{
			{"enabled", yesno{}, "false", "whether modules are looked for", false},
			{"build_tag", words{}, "", "tag of the indexer's image", false},
		}, "", "has no effect yet: would find out which directories use which modules", false},
		{"integrations", integrationsShape(), "", "programs of others that the runner calls", false},
	}
})

// overridable are the keys that default_branch_overrides can name.
var overridable = []string{
	"access_control", "apply_requirements", "automerge", "batch_runs", "checkout_strategy", "config_builder", "cost_estimation",
	"create_and_select_workspace", "default_branch_overrides", "default_tf_version", "definitions", "destination_branches", "dirs", "drift", "enabled",
	"engine", "hooks", "indexer", "integrations", "notifications", "parallel_runs", "stacks", "storage", "tags", "tree_builder", "version",
	"when_modified", "workflows",
}

// texts is the shape of a list of texts. query is that of a tag query.
var (
	texts = each{of: words{}}
	query = words{valid: validQuery}
	env   = table{of: words{}}
)

func whenModified() shape {
	return keys{
		{"file_patterns", each{of: words{valid: validFilePattern}, most: 1000}, "**/*.tf, **/*.tfvars", "patterns of changed files, with ${DIR} and ${WORKSPACE}; ! excludes", false},
		{"autoplan", yesno{}, "true", "whether a push plans by itself", false},
		{"autoplan_draft_pr", yesno{}, "true", "whether a push to a draft plans by itself", false},
		{"autoapply", yesno{}, "false", "whether a merge applies by itself", false},
		{"depends_on", kinds{text: query, object: keys{
			{"tag_query", query, "", "the dirspaces that come first", true},
			{"prune_on_no_change", yesno{}, "false", "whether the dirspace is left out if only this query brings it into a plan", false},
		}}, "", "tag query of the dirspaces that come first", false},
	}
}

func dirShape() shape {
	workspaces := table{of: keys{
		{"tags", texts, "", "tags of the workspace", false},
		{"when_modified", whenModified(), "", "which changed files make the workspace planned", false},
	}}
	return keys{
		{"tags", texts, "", "tags of the directory", false},
		{"when_modified", whenModified(), "", "which changed files make the directory planned", false},
		{"workspaces", workspaces, "default", "the workspaces of the directory", false},
		{"stacks", workspaces, "", "workspaces whose tag is stack:NAME", false},
		{"create_and_select_workspace", yesno{}, "true", "whether the runner creates and selects workspaces here", false},
		{"create_if_missing", yesno{}, "false", "whether the runner creates the directory", false},
		{"lock_branch_target", words{among: []string{"all", "dest_branch"}}, "all", "which pull requests a lock of the directory keeps away: all, or those with the same destination branch", false},
	}
}

func destinationShape() shape {
	glob := words{valid: validBranchGlob}
	return kinds{text: glob, object: keys{
		{"branch", glob, "", "the destination branch", true},
		{"source_branches", each{of: glob}, "all", "branches that may be merged into it", false},
	}}
}

func stackShape(v *value) shape {
	common := keys{
		{"variables", env, "", "variables of the steps of the stack's dirspaces", false},
		{"rules", keys{
			{"modified_by", texts, "", "stacks whose change makes this one planned too", false},
			{"plan_after", texts, "", "stacks that are planned before", false},
			{"apply_after", texts, "", "stacks that are applied before", false},
			{"auto_apply", yesno{}, "", "whether the stack is applied when it is planned", false},
		}, "", "order of the stacks", false},
	}
	if v.get("stacks") != nil {
		return common.with(key{"stacks", texts, "", "the stacks that this one contains", true})
	}
	return common.with(key{"tag_query", query, "", "the dirspaces of the stack (or stacks, for a stack of stacks)", true})
}

func driftShape(v *value) shape {
	schedule := key{"schedule", words{among: []string{"hourly", "daily", "weekly", "monthly"}}, "", "how often the server checks for drift: in each new hour, day, week (from Monday) or month", true}
	reconcile := key{"reconcile", yesno{}, "false", "whether what a check has found is applied by itself", false}
	enabled := key{"enabled", yesno{}, "false", "whether the server checks for drift", false}
	if v.get("schedules") == nil {
		return keys{enabled, schedule, reconcile, {"tag_query", query, "all", "the dirspaces that are checked", false}}
	}
	return keys{enabled, {"schedules", table{of: keys{
		schedule, reconcile,
		{"tag_query", query, "", "the dirspaces that are checked", true},
		{"window", keys{
			{"start", words{valid: validWindow}, "", "beginning of the time of day, such as 22:00 Europe/Berlin", true},
			{"end", words{valid: validWindow}, "", "end of the time of day", true},
		}, "", "the time of day in which checks begin", false},
	}}, "", "named schedules", true}}
}

func builderShape(about string) shape {
	return keys{{"enabled", yesno{}, "false", "whether the script runs", false}, {"script", words{}, "", about, false}}
}

func integrationsShape() shape {
	return keys{{"resourcely", keys{
		{"enabled", yesno{}, "false", "whether Resourcely is called", true},
		{"extra_args", texts, "", "more arguments of its command", false},
	}, "", "Resourcely", false}}
}

func applyRequirementsShape() shape {
	enabled := func(fallback, about string) key { return key{"enabled", yesno{}, fallback, about, false} }
	conflicts := key{"merge_conflicts", keys{enabled("true", "whether the pull request must have no conflict")}, "on", "no conflict with the destination branch", false}
	statuses := key{"status_checks", keys{
		enabled("true", "whether all statuses and checks of the head must have succeeded, without those of the own CI jobs of the host"),
		{"ignore_matching", each{of: words{valid: validLuaPattern}, most: maxPatterns}, "", "names of checks that do not count: equal, or a pattern of Lua", false},
	}, "on", "statuses and checks of the head", false}
	people := each{of: words{valid: validApprover}}
	byPeople := keys{
		enabled("false", "whether approvals are needed"),
		{"all_of", people, "", "each must be satisfied by an approval: user:, team:, role:, repo: or *", false},
		{"any_of", people, "", "any_of_count approvals must be of these", false},
		{"any_of_count", integer{0, 1000}, "1", "how many approvals of any_of are needed", false},
		{"require_completed_reviews", yesno{}, "false", "whether all requested reviews must be done", false},
	}
	byCount := keys{enabled("false", "whether approvals are needed"), {"count", integer{0, 1000}, "1", "how many approvals are needed", false}}
	approvals := decided(func(v *value) shape {
		if v.get("count") != nil {
			return byCount
		}
		return byPeople
	})
	return keys{
		{"checks", kinds{
			object: keys{conflicts, statuses, {"approved", approvals, "off", "approvals", false}},
			list: each{of: keys{
				{"tag_query", query, "", "the dirspaces that the entry is for", true},
				conflicts, statuses,
				{"approved", byPeople, "off", "approvals", false},
				{"apply_after_merge", keys{enabled("false", "whether only a merged pull request is applied")}, "off", "apply after the merge", false},
				{"require_ready_for_review_pr", yesno{}, "true", "whether a draft cannot be applied", false},
			}},
		}, "merge_conflicts and status_checks", "what is checked; the first entry whose tag_query matches is used. An object is the older form: one entry for all dirspaces", false},
		{"create_pending_apply_check", yesno{}, "true", "has no effect: the status terrateam apply of the whole pull request is pending as long as something waits", false},
		{"create_completed_apply_check_on_noop", yesno{}, "false", "has no effect: the status terrateam apply always succeeds if nothing is to be planned", false},
	}
}

func accessControlShape() shape {
	match := each{of: words{valid: validMatch}}
	return keys{
		{"enabled", yesno{}, "true", "whether the policies are checked", false},
		{"policies", each{of: keys{
			{"tag_query", query, "", "the dirspaces that the policy is for", true},
			{"plan", match, "*", "who may plan", false},
			{"apply", match, "*", "who may apply", false},
			{"apply_autoapprove", match, "nobody", "who may command apply-autoapprove: a plan and its apply by one command", false},
			{"apply_force", match, "nobody", "who may command apply-force: an apply without requirements and gates", false},
			{"apply_with_superapproval", match, "nobody", "who may apply if somebody of superapproval has approved", false},
			{"superapproval", match, "nobody", "whose approval lets those of apply_with_superapproval apply", false},
		}}, "", "the first policy whose tag_query matches decides; without one, nobody may", false},
		{"unlock", match, "*", "who may unlock", false},
		{"terrateam_config_update", match, "*", "who may change this file", false},
		{"ci_config_update", match, "*", "who may change the files of the CI: at GitHub all below .github/workflows/", false},
		{"files", table{of: match}, "", "who may change which files", false},
		{"apply_require_all_dirspace_access", yesno{}, "true", "whether one denied dirspace refuses the whole apply", false},
		{"plan_require_all_dirspace_access", yesno{}, "false", "whether one denied dirspace refuses the whole plan", false},
	}
}
