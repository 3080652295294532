package main

import (
	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/httpapi"
)

// routes returns the function's routes. A key is the whole rest of the path.
// keyInOneSegment runs before the routes and makes sure that no part of the key is
// lost.
func routes(s store, f artifactStore) []httpapi.Route {
	k, a := keys{s}, artifacts{f}
	return []httpapi.Route{
		{Pattern: "GET /api/v1/{vcs}/kv/{installation_id}/key/{key...}", Rule: reading, Input: httpapi.Input{Query: []string{"idx", "committed"}, Lists: []string{"select"}}, Endpoint: httpapi.JSON(fromQuery(readGetting), k.get)},
		{Pattern: "PUT /api/v1/{vcs}/kv/{installation_id}/key/{key...}", Rule: writing, Input: httpapi.Input{Members: recordMembers}, Endpoint: httpapi.JSON(fromBody(readSet), k.set)},
		{Pattern: "DELETE /api/v1/{vcs}/kv/{installation_id}/key/{key...}", Rule: both, Input: httpapi.Input{Query: []string{"idx", "version"}}, Endpoint: httpapi.JSON(fromQuery(readDeleting), k.delete)},
		{Pattern: "PUT /api/v1/{vcs}/kv/{installation_id}/cas/key/{key...}", Rule: both, Input: httpapi.Input{Members: append([]string{"version"}, recordMembers...)}, Endpoint: httpapi.JSON(fromBody(readCompareAndSet), k.compareAndSet)},
		{Pattern: "GET /api/v1/{vcs}/kv/{installation_id}/count/key/{key...}", Rule: reading, Input: httpapi.Input{Query: []string{"committed"}}, Endpoint: httpapi.JSON(fromQuery(readCounting), k.count)},
		{Pattern: "GET /api/v1/{vcs}/kv/{installation_id}/size/key/{key...}", Rule: reading, Input: httpapi.Input{Query: []string{"idx", "committed"}}, Endpoint: httpapi.JSON(fromQuery(readSizing), k.size)},
		{Pattern: "GET /api/v1/{vcs}/kv/{installation_id}/iter/{key...}", Rule: reading, Input: iteration, Endpoint: httpapi.JSON(decodeIterate, k.iterate)},
		{Pattern: "POST /api/v1/{vcs}/kv/{installation_id}/commit", Rule: writing, Input: httpapi.Input{Members: []string{"keys", "keys.key", "keys.idx"}}, Endpoint: httpapi.JSON(decodeCommit, k.commit)},
		{Pattern: "POST /api/v1/{vcs}/kv/{installation_id}/read", Rule: reading, ReadOnly: true, Input: bodyInput(readable(k, a)), Endpoint: inBody(readable(k, a))},
		{Pattern: "POST /api/v1/{vcs}/kv/{installation_id}/write", Rule: writing, Input: bodyInput(writable(k, a)), Endpoint: inBody(writable(k, a))},
		{Pattern: "POST /api/v1/{vcs}/kv/{installation_id}/artifact/key/{key...}", Rule: writing, Input: announcing, Endpoint: httpapi.JSON(decodeCreate, a.create)},
		{Pattern: "GET /api/v1/{vcs}/kv/{installation_id}/artifact/key/{key...}", Rule: reading, Input: httpapi.Input{Query: []string{"idx", "committed"}}, Endpoint: httpapi.Respond(fromQuery(readOpening), a.open)},
		{Pattern: "GET /api/v1/{vcs}/kv/{installation_id}/artifact/upload", Rule: writing, Input: httpapi.Input{Query: []string{"cursor", "limit"}}, Endpoint: httpapi.JSON(decodeList, a.list)},
		{Pattern: "GET /api/v1/{vcs}/kv/{installation_id}/artifact/upload/{upload_id}", Rule: writing, Input: httpapi.Input{Query: []string{"after", "limit"}}, Endpoint: httpapi.JSON(decodeShow, a.show)},
		{Pattern: "POST /api/v1/{vcs}/kv/{installation_id}/artifact/upload/{upload_id}/complete", Rule: writing, Endpoint: httpapi.JSON(decodeUpload, a.complete)},
		{Pattern: "DELETE /api/v1/{vcs}/kv/{installation_id}/artifact/upload/{upload_id}", Rule: writing, Endpoint: httpapi.JSON(decodeUpload, a.abort)},
	}
}

// Inputs that several routes have, or that are long.
var (
	recordMembers = []string{"data", "idx", "committed", "read_caps", "write_caps"}
	iteration     = httpapi.Input{
		Query: []string{"idx", "inclusive", "prefix", "committed", "include_data", "limit", "cursor"}, Lists: []string{"select"},
	}
	announcing = httpapi.Input{Members: []string{
		"size", "sha256", "content_type", "file_name", "idx", "committed", "read_caps", "write_caps", "if_absent", "version",
	}}
)

// Rules of the routes. A run uses the store too, while it is queued or running: files
// go from a plan to its apply through it. The responses of compare-and-set and delete show what the
// row holds, so they need the right to read too.
var (
	reading = rule(access.KVStoreRead)
	writing = rule(access.KVStoreWrite)
	both    = rule(access.KVStoreRead, access.KVStoreWrite)
)

func rule(needs ...access.Capability) access.Rule {
	return access.Rule{Kinds: append(access.DefaultKinds(), access.KindRun), Needs: needs, Scope: access.ScopeInstallation}
}
