package main

import (
	"context"
	"net/http"
	"unicode/utf8"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/api/paging"
	"github.com/opsplane/opsplane/shared/api/timestamp"
	"github.com/opsplane/opsplane/shared/credential/apikey"
)

// item is a key in the list. A time is absent if the event has not happened.
type item struct {
	Capabilities access.Set `json:"capabilities"`
	CreatedAt    string     `json:"created_at"`
	Description  string     `json:"description,omitempty"`
	ExpiresAt    string     `json:"expires_at,omitempty"`
	ID           string     `json:"id"`
	LastUsedAt   string     `json:"last_used_at,omitempty"`
	Name         string     `json:"name"`
}

// shape is the shape of the list: the cursor places a key. A page has all keys of a
// user, unless the request asks for fewer, because clients that were written for
// servers without pages follow no link.
var shape = paging.Shape{Elements: 1, Default: apikey.MaxPerUser, Max: apikey.MaxPerUser}

// maxCursor is the length of the longest cursor, in bytes.
const maxCursor = apikey.MaxName + 1 + 36

func decodeList(r *http.Request) (paging.Request, error) {
	q, err := paging.Decode(r, shape)
	if err != nil || q.First() {
		return q, err
	}
	if c := q.Cursor[0]; c == "" || len(c) > maxCursor || !utf8.ValidString(c) {
		return q, paging.ErrCursor
	}
	return q, nil
}

// list returns the caller's keys by name, without those that reach further than the
// caller.
func (t *tokens) list(ctx context.Context, call httpapi.Call, q paging.Request) (paging.Results[item], error) {
	if err := t.admit(ctx, call.Caller); err != nil {
		return paging.Results[item]{}, err
	}
	query := apikey.Query{Limit: q.Limit + 1, Within: call.Caller.Capabilities}
	switch {
	case q.First():
	case q.Backward:
		query.Before = q.Cursor[0]
	default:
		query.After = q.Cursor[0]
	}
	keys, err := t.keys.List(ctx, call.Caller.User, query)
	if err != nil {
		return paging.Results[item]{}, err
	}
	page := paging.PageOf(q, keys, func(k apikey.Key) []string { return []string{k.Cursor()} })
	return paging.Map(page, show), nil
}

func show(k apikey.Key) item {
	return item{
		Capabilities: k.Capabilities, ID: k.ID, Name: k.Name, Description: k.Description,
		CreatedAt: timestamp.Format(k.CreatedAt), ExpiresAt: timestamp.Format(k.ExpiresAt), LastUsedAt: timestamp.Format(k.LastUsedAt),
	}
}
