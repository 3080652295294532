package client

import (
	"context"
	"net/http"

	"github.com/opsplane/opsplane/infra/apiclient"
	"github.com/opsplane/opsplane/infra/measure/soak/history"
)

// refusal interprets a response with a status of 400 or above.
func (m *Remote) refusal(c history.Call, resp apiclient.Response) history.Answer {
	status, id := resp.Status, resp.ID()
	if a, ok := refused(c, id); ok {
		return a
	}
	switch {
	case status == http.StatusForbidden, status == http.StatusUnauthorized, status == http.StatusTooManyRequests:
		// The gateway did not pass the request on.
		return history.Answer{Outcome: history.Void, Note: http.StatusText(status)}
	case id == idContended:
		return contended(c)
	case status >= http.StatusInternalServerError:
		return failed(c, http.StatusText(status)+" "+id)
	case status == http.StatusNotFound && (c.Action == history.Complete || c.Action == history.Abort):
		return history.Answer{Outcome: history.Refused, Note: history.Gone}
	case status == http.StatusNotFound && reads[c.Action]:
		return history.Answer{Outcome: history.Refused}
	case status == http.StatusBadRequest && len(resp.Body) == 0:
		return history.Answer{Outcome: history.Refused, Note: history.Unmet}
	}
	return impossible("%s was refused: %v", c.Action, resp)
}

// understand interprets the body of a response with status 200.
func (m *Remote) understand(c history.Call, resp apiclient.Response) history.Answer {
	var w answer
	a := history.Answer{Outcome: history.Done}
	if c.Action == history.Abort {
		return a
	}
	if err := resp.Decode(&w); err != nil {
		return impossible("%s: %v", c.Action, err)
	}
	var shown []wireRecord
	switch c.Action {
	case history.Set, history.CAS:
		a.Version = w.Version
	case history.Get:
		shown = []wireRecord{w.wireRecord}
	case history.DeleteRow, history.DeleteKey:
		a.Found = w.Result
	case history.Commit:
		for _, k := range w.Keys {
			a.Rows = append(a.Rows, history.Seen{Row: history.Row{Key: k.Key, Idx: k.Idx}})
		}
	case history.Count:
		a.Count, a.Max = w.Count, w.MaxIdx
	case history.Size, history.SizeRow:
		a.Size = w.Size
	case history.Iterate:
		shown = w.Results
	case history.Create:
		if w.Put == nil {
			return impossible("an upload without a way to send it: %v", resp)
		}
		a.Upload = history.Upload{ID: w.ID, URL: w.Put.URL, Header: w.Put.Headers}
	case history.Complete:
		return completed(w.State, w.Record != nil, func() int { return w.Record.Version })
	}
	for _, r := range shown {
		seen, err := r.seen()
		if err != nil {
			return impossible("%v", err)
		}
		a.Rows = append(a.Rows, seen)
	}
	return a
}

// open follows the redirect to a file. The redirect states the hash of the file. Hash and file
// together identify the artifact, but they do not state its version.
func (m *Remote) open(ctx context.Context, c history.Call, resp apiclient.Response) history.Answer {
	if resp.Status != http.StatusFound {
		return impossible("an artifact is opened with %v", resp)
	}
	value, a := fetch(ctx, m.HTTP, resp.Header.Get("Location"))
	if a.Outcome != history.Done {
		return a
	}
	if tag := resp.Header.Get("ETag"); tag != `"`+history.FileHash(value)+`"` {
		return impossible("the file behind %s is that of %d", tag, value)
	}
	a.Rows = []history.Seen{{Row: c.Row, Value: value, ValueOnly: true}}
	return a
}
