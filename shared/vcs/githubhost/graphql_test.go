package githubhost

import "testing"

func TestGraphQLAPIIsBesideTheRESTAPIOfAServerAndBelowThatOfGitHub(t *testing.T) {
	t.Parallel()
	for api, want := range map[string]string{
		"https://api.github.com":                   "https://api.github.com/graphql",
		"https://api.octocorp.ghe.com":             "https://api.octocorp.ghe.com/graphql",
		"https://github.example.com/api/v3":        "https://github.example.com/api/graphql",
		"https://proxy.example.com/github/api/v3":  "https://proxy.example.com/github/api/graphql",
		"https://proxy.example.com/api.github.com": "https://proxy.example.com/api.github.com/graphql",
	} {
		if got := graphQL(api); got != want {
			t.Errorf("%s: got %s, want %s", api, got, want)
		}
	}
}
