// Package docs holds the user's guides, and embeds the API document so that
// the server can hand out the very file that is in the repository.
package docs

import _ "embed"

// OpenAPI is the API document: OpenAPI 3.1, JSON.
//
//go:embed openapi.json
var OpenAPI []byte
