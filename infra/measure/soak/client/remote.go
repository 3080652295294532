package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/opsplane/opsplane/infra/apiclient"
	"github.com/opsplane/opsplane/infra/measure/soak/history"
	"github.com/opsplane/opsplane/shared/kv/artifact"
)

// Remote works over HTTP on a running stack.
type Remote struct {
	// Base is the address of the key-value routes of one installation.
	Base string
	// Token returns an access token.
	Token func() (string, error)
	// HTTP sends requests. It must not follow redirects.
	HTTP *http.Client
	// Patience, if it is set, chooses at random how long a request may take before the client
	// gives up. A nil Patience leaves the limit to HTTP.
	Patience func(context.Context) (context.Context, context.CancelFunc)
}

var _ Client = (*Remote)(nil)

// answer has the members that are used of the bodies with status 200, for all routes.
type answer struct {
	wireRecord
	Result  bool         `json:"result"`
	Count   int          `json:"count"`
	MaxIdx  int          `json:"max_idx"`
	Results []wireRecord `json:"results"`
	Keys    []struct {
		Key string `json:"key"`
		Idx int    `json:"idx"`
	} `json:"keys"`
	ID     string            `json:"id"`
	State  artifact.State    `json:"state"`
	Record *wireRecord       `json:"record"`
	Put    *apiclient.Upload `json:"put"`
}

type wireRecord struct {
	Key       string          `json:"key"`
	Idx       int             `json:"idx"`
	Data      json.RawMessage `json:"data"`
	Version   int             `json:"version"`
	Committed bool            `json:"committed"`
	Size      int             `json:"size"`
}

func (r wireRecord) seen() (history.Seen, error) {
	return record(history.Row{Key: r.Key, Idx: r.Idx}, r.Version, r.Committed, r.Size, r.Data)
}

// Do implements Client.
func (m *Remote) Do(ctx context.Context, c history.Call) history.Answer {
	if c.Action == history.Put {
		return send(ctx, m.HTTP, c)
	}
	token, err := m.Token()
	if err != nil {
		return history.Answer{Outcome: history.Void, Note: err.Error()}
	}
	method, target, body := m.request(c)
	asking, cancel := ctx, context.CancelFunc(func() {})
	if m.Patience != nil {
		asking, cancel = m.Patience(ctx)
	}
	defer cancel()
	req, err := http.NewRequestWithContext(asking, method, target, strings.NewReader(body))
	if err != nil {
		return impossible("%v", err)
	}
	req.Header.Set("Authorization", apiclient.Bearer(token))
	req.Header.Set("Content-Type", "application/json")
	resp, err := apiclient.Send(m.HTTP, req)
	if err != nil {
		return failed(c, err.Error())
	}
	if resp.Status >= http.StatusBadRequest {
		return m.refusal(c, resp)
	}
	if c.Action == history.Open {
		return m.open(ctx, c, resp)
	}
	a := m.understand(c, resp)
	// The next page begins after the last row of this page.
	if next := resp.Links().Next; c.Action == history.Iterate && next != "" && len(a.Rows) > 0 {
		a.Link, a.Next = next, &a.Rows[len(a.Rows)-1].Row
	}
	return a
}

// request returns the request to send.
func (m *Remote) request(c history.Call) (method, target, body string) {
	at := func(operation string, query ...string) string {
		return m.Base + "/" + operation + "/" + url.PathEscape(c.Key) + "?" + strings.Join(query, "&")
	}
	committed := "committed=" + strconv.FormatBool(!c.Drafts)
	idx := "idx=" + strconv.Itoa(c.Idx)
	members := map[string]any{"idx": c.Idx, "committed": c.Committed}
	if c.Version != nil {
		members["version"] = *c.Version
	}
	switch c.Action {
	case history.Set, history.CAS:
		members["data"] = json.RawMessage(history.ValueText(c.Value))
		operation := map[history.Action]string{history.Set: "key", history.CAS: "cas/key"}[c.Action]
		return http.MethodPut, at(operation), encode(members)
	case history.Get:
		return http.MethodGet, at("key", idx, committed), ""
	case history.DeleteRow, history.DeleteKey:
		var query []string
		if c.Action == history.DeleteRow {
			query = append(query, idx)
		}
		if c.Version != nil {
			query = append(query, "version="+strconv.Itoa(*c.Version))
		}
		return http.MethodDelete, at("key", query...), ""
	case history.Commit:
		return http.MethodPost, m.Base + "/commit", encode(map[string]any{"keys": wireTargets(c.Targets)})
	case history.Count:
		return http.MethodGet, at("count/key", committed), ""
	case history.Size:
		return http.MethodGet, at("size/key", committed), ""
	case history.SizeRow:
		return http.MethodGet, at("size/key", idx, committed), ""
	case history.Iterate:
		if c.Link != "" {
			return http.MethodGet, c.Link, ""
		}
		return http.MethodGet, at("iter", "prefix=true", committed, "limit="+strconv.Itoa(c.Limit)), ""
	case history.Create:
		members["size"], members["sha256"] = len(history.File(c.Value)), history.FileHash(c.Value)
		members["content_type"], members["if_absent"] = history.FileType(c.Value), c.Absent
		return http.MethodPost, at("artifact/key"), encode(members)
	case history.Complete:
		return http.MethodPost, m.Base + "/artifact/upload/" + c.Upload.ID + "/complete", ""
	case history.Abort:
		return http.MethodDelete, m.Base + "/artifact/upload/" + c.Upload.ID, ""
	}
	return http.MethodGet, at("artifact/key", idx, committed), ""
}

type wireTarget struct {
	Key string `json:"key"`
	Idx *int   `json:"idx,omitempty"`
}

func wireTargets(targets []history.Target) []wireTarget {
	list := make([]wireTarget, len(targets))
	for i, t := range targets {
		list[i] = wireTarget(t)
	}
	return list
}

func encode(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(err) // no route accepts this as a body
	}
	return string(text)
}
