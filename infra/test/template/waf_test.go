package template

import (
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// webACL is the product's web ACL, for one set of parameters.
type webACL struct {
	Rules []struct {
		Name      string `yaml:"Name"`
		Statement struct {
			RateBasedStatement struct {
				Limit               string `yaml:"Limit"`
				AggregateKeyType    string `yaml:"AggregateKeyType"`
				EvaluationWindowSec int    `yaml:"EvaluationWindowSec"`
				ScopeDownStatement  struct {
					RegexMatchStatement struct {
						RegexString         string `yaml:"RegexString"`
						TextTransformations []struct {
							Type string `yaml:"Type"`
						} `yaml:"TextTransformations"`
					} `yaml:"RegexMatchStatement"`
				} `yaml:"ScopeDownStatement"`
			} `yaml:"RateBasedStatement"`
		} `yaml:"Statement"`
	} `yaml:"Rules"`
}

// fileOfProduct reads a file by its path in the repository.
func fileOfProduct(t *testing.T, name string) []byte {
	t.Helper()
	root, err := Root(".")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// product returns the product's template and its web ACL. It returns false if the template
// makes no web ACL.
func product(t *testing.T, parameters map[string]string) (*Template, webACL, bool) {
	t.Helper()
	text := fileOfProduct(t, "template.yaml")
	parsed, err := Parse(text, Options{Parameters: parameters})
	if err != nil {
		t.Fatal(err)
	}
	d, r, err := read(text, Options{Parameters: parameters})
	if err != nil {
		t.Fatal(err)
	}
	yes, err := r.holds("HasWaf")
	if err != nil || !yes {
		return parsed, webACL{}, false
	}
	raw, _ := d.Resources["WebAcl"].(map[string]any)
	properties, err := r.resolve(raw["Properties"])
	if err != nil {
		t.Fatal(err)
	}
	var acl webACL
	if err := decode(properties, &acl); err != nil {
		t.Fatal(err)
	}
	return parsed, acl, true
}

// transformed returns a path as AWS WAF sees it after the named transformation.
func transformed(t *testing.T, kind, text string) string {
	t.Helper()
	switch kind {
	case "URL_DECODE":
		decoded, err := url.PathUnescape(text)
		if err != nil {
			return text
		}
		return decoded
	case "NORMALIZE_PATH":
		clean := path.Clean(text)
		if strings.HasSuffix(text, "/") && clean != "/" {
			clean += "/"
		}
		return clean
	}
	t.Fatalf("transformation %s is not known here", kind)
	return ""
}

func TestWebACLCountsEveryFormOfTheExchange(t *testing.T) {
	_, acl, ok := product(t, nil)
	if !ok || len(acl.Rules) != 2 {
		t.Fatalf("got %+v, want two rules by default", acl)
	}
	scope := acl.Rules[0].Statement.RateBasedStatement.ScopeDownStatement.RegexMatchStatement
	for text, want := range map[string]bool{
		"/api/v1/access-token/refresh":                               true,
		"/api/v1/access-token/refresh/":                              true,
		"/live/api/v1/access-token/refresh":                          true,
		"/live/api/v1/access-token/refresh/":                         true,
		"/live/api/v1/access-token/refresh//":                        true,
		"/live/api//v1/access-token/./refresh":                       true,
		"/live/api/v1/access-token/%72efresh":                        true,
		"/live/api/v1/access-token/refresh%2F":                       true,
		"/mapped/by/a/domain/api/v1/access-token/refresh":            true,
		"/live/api/v1/access-token/refreshed":                        false,
		"/live/api/v1/github/access-token":                           false,
		"/live/api/v1/github/kv/1/key/api/v1/access-token/refresh/x": false,
	} {
		seen := text
		for _, transformation := range scope.TextTransformations {
			seen = transformed(t, transformation.Type, seen)
		}
		if got := regexp.MustCompile(scope.RegexString).MatchString(seen); got != want {
			t.Errorf("%s: counted as an exchange %t, want %t", text, got, want)
		}
	}
	if other := acl.Rules[1].Statement.RateBasedStatement; other.ScopeDownStatement.RegexMatchStatement.RegexString != "" {
		t.Errorf("got a rule of all requests that counts some: %+v", other)
	}
}

// The gateway also counts refused requests, and it counts all callers together. So WAF must
// stop an address long before the address has used up the limit of all callers.
func TestNoFewAddressesUseUpWhatTheGatewayAdmits(t *testing.T) {
	const addresses = 5
	parsed, acl, ok := product(t, nil)
	if !ok {
		t.Fatal("got no web ACL")
	}
	throttles := map[string]float64{}
	for _, m := range parsed.API.MethodSettings {
		throttles[m.Method+" "+m.Path] = m.RateLimit
	}
	for rule, method := range map[int]string{0: "POST /api/v1/access-token/refresh", 1: "* *"} {
		s := acl.Rules[rule].Statement.RateBasedStatement
		limit, err := strconv.Atoi(s.Limit)
		if err != nil || limit < 10 || s.AggregateKeyType != "IP" || s.EvaluationWindowSec != 60 {
			t.Errorf("%s: got %+v, want a limit of at least 10 in 60 s for each address", acl.Rules[rule].Name, s)
		}
		if rate := float64(addresses*limit) / 60; rate > throttles[method] || throttles[method] == 0 {
			t.Errorf("%d addresses at %.0f a second together use up the %.0f a second of %s", addresses, rate, throttles[method], method)
		}
	}
}

func TestLimitsOfTheWebACLCanBeTakenAway(t *testing.T) {
	for name, c := range map[string]struct {
		refresh, request string
		rules            []string
	}{
		"both":     {"100", "5000", []string{"refresh-rate", "request-rate"}},
		"exchange": {"100", "0", []string{"refresh-rate"}},
		"requests": {"0", "5000", []string{"request-rate"}},
		"none":     {"0", "0", nil},
	} {
		_, acl, ok := product(t, map[string]string{"WafRefreshLimit": c.refresh, "WafRequestLimit": c.request})
		if ok != (len(c.rules) > 0) || len(acl.Rules) != len(c.rules) {
			t.Errorf("%s: got rules %+v, want %v", name, acl.Rules, c.rules)
			continue
		}
		for i, rule := range acl.Rules {
			if rule.Name != c.rules[i] {
				t.Errorf("%s: got rule %s, want %s", name, rule.Name, c.rules[i])
			}
		}
	}
}
