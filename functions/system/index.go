package main

import (
	"context"

	"github.com/opsplane/opsplane/shared/api/httpapi"
)

// index is the response at the root. It says what this server is, for a person who
// opens its address, and where to continue.
type index struct {
	Name     string `json:"name"`
	About    string `json:"about"`
	Document string `json:"document_url"`
	Config   string `json:"config_url"`
	Health   string `json:"health_url"`
	Next     string `json:"next"`
}

// index never names a version or what is configured, because anybody may request
// it.
func (s system) index(_ context.Context, _ httpapi.Call, base string) (index, error) {
	return index{
		Name:     "Opsplane",
		About:    "A control plane for Terraform and OpenTofu. This is its API, which is compatible with the Terrateam REST API.",
		Document: base + "/api/v1/openapi.json",
		Config:   base + "/api/v1/server/config",
		Health:   base + "/health",
		Next:     "Exchange an API key for an access token: POST " + base + "/api/v1/access-token/refresh with the header Authorization: Bearer <API key>. The document describes every call.",
	}, nil
}
