package template

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// API is the gateway in front of the functions.
type API struct {
	LogicalID         string
	Stage             string
	DefaultAuthorizer string // if empty, a route without an authorizer of its own has none
	Authorizers       map[string]Authorizer
	GatewayResponses  map[string]GatewayResponse // by type: UNAUTHORIZED, ACCESS_DENIED, ...
	MethodSettings    []MethodSetting
	BinaryMediaTypes  []string
}

// Authorizer is a REQUEST authorizer.
type Authorizer struct {
	Function        string   // logical id
	IdentityHeaders []string // the gateway refuses a request that lacks one, and does not call the function
	CacheTTL        time.Duration
}

// GatewayResponse is a response that the gateway makes without a function.
type GatewayResponse struct {
	StatusCode int               // 0: the gateway's own status
	Templates  map[string]string // by media type
	Headers    map[string]string // static values, without their quotes
}

// MethodSetting limits the rate of a method. Path and Method may be "*".
type MethodSetting struct {
	Path, Method string
	RateLimit    float64 // requests a second
	BurstLimit   int     // requests
}

type apiProperties struct {
	StageName        string   `yaml:"StageName"`
	BinaryMediaTypes []string `yaml:"BinaryMediaTypes"`
	Auth             struct {
		DefaultAuthorizer string `yaml:"DefaultAuthorizer"`
		Authorizers       map[string]struct {
			FunctionArn         string `yaml:"FunctionArn"`
			FunctionPayloadType string `yaml:"FunctionPayloadType"`
			Identity            struct {
				Headers          []string `yaml:"Headers"`
				ReauthorizeEvery *int     `yaml:"ReauthorizeEvery"`
			} `yaml:"Identity"`
		} `yaml:"Authorizers"`
	} `yaml:"Auth"`
	GatewayResponses map[string]struct {
		StatusCode         int               `yaml:"StatusCode"`
		ResponseTemplates  map[string]string `yaml:"ResponseTemplates"`
		ResponseParameters struct {
			Headers map[string]string `yaml:"Headers"`
		} `yaml:"ResponseParameters"`
	} `yaml:"GatewayResponses"`
	MethodSettings []struct {
		ResourcePath         string  `yaml:"ResourcePath"`
		HTTPMethod           string  `yaml:"HttpMethod"`
		ThrottlingRateLimit  float64 `yaml:"ThrottlingRateLimit"`
		ThrottlingBurstLimit int     `yaml:"ThrottlingBurstLimit"`
	} `yaml:"MethodSettings"`
}

func parseAPI(id string, globals, properties any) (API, error) {
	var p apiProperties
	if err := decode(section(globals, "Api"), &p); err != nil {
		return API{}, fmt.Errorf("in Globals: %w", err)
	}
	// The struct holds the global values. Decoding keeps those that the resource does not set.
	if err := decode(properties, &p); err != nil {
		return API{}, err
	}
	api := API{
		LogicalID: id, Stage: p.StageName, DefaultAuthorizer: p.Auth.DefaultAuthorizer, BinaryMediaTypes: p.BinaryMediaTypes,
		Authorizers: map[string]Authorizer{}, GatewayResponses: map[string]GatewayResponse{},
	}
	for _, name := range slices.Sorted(maps.Keys(p.Auth.Authorizers)) {
		a := p.Auth.Authorizers[name]
		function, attr, ok := attribute(a.FunctionArn)
		if !ok || attr != "Arn" {
			return API{}, fmt.Errorf("authorizer %s: FunctionArn is not the Arn of a function of this template", name)
		}
		if a.FunctionPayloadType != "REQUEST" {
			return API{}, fmt.Errorf("authorizer %s: payload type %q, want REQUEST", name, a.FunctionPayloadType)
		}
		ttl := 300 // AWS's default
		if a.Identity.ReauthorizeEvery != nil {
			ttl = *a.Identity.ReauthorizeEvery
		}
		api.Authorizers[name] = Authorizer{Function: function, IdentityHeaders: a.Identity.Headers, CacheTTL: time.Duration(ttl) * time.Second}
	}
	for kind, g := range p.GatewayResponses {
		headers := map[string]string{}
		for name, value := range g.ResponseParameters.Headers {
			headers[name] = strings.Trim(value, "'")
		}
		api.GatewayResponses[kind] = GatewayResponse{StatusCode: g.StatusCode, Templates: g.ResponseTemplates, Headers: headers}
	}
	for _, m := range p.MethodSettings {
		// A leading slash, then the path, in which each slash is written as ~1.
		path := strings.ReplaceAll(strings.TrimPrefix(m.ResourcePath, "/"), "~1", "/")
		api.MethodSettings = append(api.MethodSettings, MethodSetting{
			Path: path, Method: m.HTTPMethod, RateLimit: m.ThrottlingRateLimit, BurstLimit: m.ThrottlingBurstLimit,
		})
	}
	return api, nil
}
