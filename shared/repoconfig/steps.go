package repoconfig

// Keys that several kinds of steps have.
var (
	typeKey    = key{"type", words{}, "", "the kind of the step", true}
	envKey     = key{"env", env, "", "more environment variables", false}
	argsKey    = key{"extra_args", texts, "", "more arguments of the command", false}
	cmdKey     = key{"cmd", texts, "", "the command and its arguments", true}
	ignoreKey  = key{"ignore_errors", yesno{}, "false", "whether a failure does not matter", false}
	runOnKey   = key{"run_on", words{among: []string{"failure", "always", "success"}}, "success", "after which outcome of the steps before it runs", false}
	visibleKey = key{"visible_on", words{among: []string{"always", "failure", "success"}}, "failure", "for which outcome comments show what it prints", false}
	gateKey    = key{"gate", keys{
		{"name", words{}, "", "name of the gate", false},
		{"token", words{}, "", "word with which people approve the gate", false},
		{"all_of", texts, "", "who must approve", false},
		{"any_of", texts, "", "of whom any_of_count must approve", false},
		{"any_of_count", integer{0, 1000}, "", "how many of any_of must approve", false},
	}, "", "approvals with which a failure of the step is accepted", false}
)

func workflowShape() shape {
	return keys{
		{"tag_query", query, "", "the dirspaces that the workflow is for", true},
		{"plan", each{of: workflowStep()}, "init, plan", "steps of a plan", false},
		{"apply", each{of: workflowStep()}, "init, apply", "steps of an apply", false},
		{"engine", engineShape(), "that of the file", "the program that plans and applies", false},
		{"environment", words{}, "", "environment of the host for the CI job, with ${NAME} for variables of the stack", false},
		{"runs_on", anything{}, "", "label or labels of the machine of the CI job", false},
		{"lock_policy", words{among: []string{"strict", "apply", "merge", "none"}}, "strict", "what locks the dirspace for other pull requests", false},
		{"integrations", integrationsShape(), "", "programs of others that the runner calls", false},
		{"terraform_version", words{}, "", "older form of engine.version", false},
		{"terragrunt", yesno{}, "false", "older form of engine.name: terragrunt", false},
		{"cdktf", yesno{}, "false", "older form of engine.name: cdktf", false},
	}
}

func hookShape() shape {
	return keys{
		{"pre", each{of: hookStep()}, "", "steps before", false},
		{"post", each{of: hookStep()}, "", "steps after", false},
	}
}

// workflowStep is the shape of a step of a workflow.
func workflowStep() shape {
	steps := commonSteps()
	steps["init"] = keys{typeKey, argsKey, envKey}
	steps["plan"] = keys{typeKey, argsKey, envKey, {"mode", words{among: []string{"strict", "fast-and-loose"}}, "strict", "whether the apply uses the plan or plans again", false}}
	steps["apply"] = keys{typeKey, argsKey, envKey, {"retry", keys{
		{"enabled", yesno{}, "false", "whether a failed apply is tried again", false},
		{"tries", integer{1, 1000}, "3", "how many tries", false},
		{"initial_sleep", integer{0, 86400}, "5", "seconds before the second try", false},
		{"backoff", decimal{}, "1.5", "factor of the following pauses", false},
	}, "", "tries of the apply", false}}
	steps["checkov"] = keys{typeKey, argsKey, envKey, gateKey, ignoreKey, runOnKey, visibleKey}
	steps["conftest"] = steps["checkov"]
	steps["opa"] = keys{
		typeKey, argsKey, envKey, gateKey, ignoreKey, runOnKey, visibleKey,
		{"fail_on", words{among: []string{"defined", "undefined"}}, "undefined", "which response is a failure", false},
	}
	return variant{by: "type", of: steps}
}

// hookStep is the shape of a step of a hook.
func hookStep() shape {
	steps := commonSteps()
	steps["drift_create_issue"] = keys{typeKey, {"group_by", words{among: []string{"all", "dirspace"}}, "all", "how many issues are made", false}}
	return variant{by: "type", of: steps}
}

// commonSteps are the kinds of steps that workflows and hooks have.
func commonSteps() map[string]shape {
	sensitive := key{"sensitive", yesno{}, "false", "whether the values are masked in what the run prints", false}
	method := key{"method", words{}, "exec", "exec: the output is the value; source: the command sets variables", false}
	oidc := func(more ...key) shape {
		return keys{typeKey, {"provider", words{}, "aws", "the cloud", false}, {"audience", words{}, "", "audience of the token", false}}.with(more...)
	}
	return map[string]shape{
		"run": keys{
			typeKey, cmdKey, envKey, ignoreKey, runOnKey, visibleKey,
			{"capture_output", yesno{}, "false", "whether comments show what it prints", false},
			{"format", kinds{text: words{among: []string{"code", "raw", "markdown"}}, object: keys{
				{"type", words{among: []string{"code"}}, "", "code", true},
				{"lang", words{}, "", "language of the code", true},
			}}, "code", "how comments show what it prints", false},
			{"on_error", each{of: anything{}}, "", "what to do after a failure", false},
		},
		"slack": keys{typeKey, {"msg", words{}, "", "text of the message", true}, runOnKey},
		"gates": keys{typeKey, cmdKey, envKey, runOnKey},
		"env": variant{by: "method", fallback: "exec", of: map[string]shape{
			"exec": keys{
				typeKey, method, cmdKey, sensitive,
				{"name", words{}, "", "name of the variable", true},
				{"trim_trailing_newlines", yesno{}, "true", "whether line breaks at the end are removed", false},
			},
			"source": keys{typeKey, method, cmdKey, sensitive},
		}},
		"oidc": variant{by: "provider", fallback: "aws", of: map[string]shape{
			"aws": oidc(
				key{"role_arn", words{}, "", "role that the runner takes", true},
				key{"assume_role_arn", words{}, "", "second role, taken with the first one", false},
				key{"assume_role_enabled", yesno{}, "true", "whether the role is taken", false},
				key{"duration", integer{900, 43200}, "3600", "seconds that the credentials live", false},
				key{"region", words{}, "us-east-1", "region of the request", false},
				key{"session_name", words{}, "terrateam", "name of the session", false},
			),
			"azure": oidc(
				key{"client_id", words{}, "", "client id of the application", true},
				key{"tenant_id", words{}, "", "id of the tenant", true},
				key{"subscription_id", words{}, "", "id of the subscription", false},
			),
			"gcp": oidc(
				key{"service_account", words{}, "", "service account that the runner becomes", true},
				key{"workload_identity_provider", words{}, "", "provider of the identity", true},
				key{"access_token_lifetime", integer{1, 43200}, "3600", "seconds that the token lives", false},
				key{"access_token_subject", words{}, "", "subject of the token", false},
				key{"project_id", words{}, "", "id of the project", false},
			),
		}},
	}
}

// engineShape is the shape of an engine. Engines that are not known here have texts and
// lists of texts.
func engineShape() shape {
	name := key{"name", words{}, "", "name of the engine", true}
	outputs := key{"outputs", keys{{"collect", yesno{}, "", "whether the outputs are collected after an apply", false}}, "", "outputs", false}
	override := key{"override_tf_cmd", words{}, "", "the command instead of the usual one", false}
	version := key{"version", words{}, "", "version of the engine", false}
	tfCommand := key{"tf_cmd", words{}, "", "the program behind it: terraform or tofu", false}
	tfVersion := key{"tf_version", words{}, "", "version of that program", false}
	return variant{by: "name", of: map[string]shape{
		"terraform":  keys{name, version, outputs, override},
		"tofu":       keys{name, version, outputs, override},
		"terragrunt": keys{name, outputs, override, tfCommand, tfVersion, version},
		"cdktf":      keys{name, outputs, override, tfCommand, tfVersion},
		"stategraph": keys{name, version, outputs, override, tfCommand, tfVersion},
		"pulumi":     keys{name},
		"fly":        keys{name, {"config_file", words{}, "", "path of the file of fly", true}},
		"custom": keys{
			name,
			{"init", texts, "", "command that prepares", false},
			{"plan", texts, "", "command that plans", false},
			{"diff", texts, "", "command that shows the plan", false},
			{"apply", texts, "", "command that applies a plan", false},
			{"unsafe_apply", texts, "", "command that applies without a plan", false},
			{"outputs", texts, "", "command that prints the outputs", false},
		},
	}, other: table{of: kinds{text: words{}, list: texts}}}
}
