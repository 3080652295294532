package client

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/opsplane/opsplane/infra/apiclient"
	"github.com/opsplane/opsplane/infra/measure/soak/history"
	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/kv"
	"github.com/opsplane/opsplane/shared/kv/artifact"
)

// artifact makes the operations on uploads and artifacts.
func (d *Direct) artifact(ctx context.Context, by change.Author, c history.Call) history.Answer {
	switch c.Action {
	case history.Create:
		u, page, err := d.Artifacts.Create(ctx, kv.Caller{Installation: d.Namespace, Author: by}, artifact.New{
			Key: c.Key, Idx: c.Idx, Committed: c.Committed, Absent: c.Absent, Version: c.Version,
			File: artifact.File{Size: int64(len(history.File(c.Value))), SHA256: history.FileHash(c.Value), ContentType: history.FileType(c.Value)},
		})
		made := history.Upload{ID: u.ID}
		if err == nil {
			made.URL, made.Header = page.Put.URL, page.Put.Headers
		}
		return outcome(c, err, history.Answer{Upload: made})
	case history.Put:
		return send(ctx, d.HTTP, c)
	case history.Complete:
		u, err := d.Artifacts.Complete(ctx, kv.Caller{Installation: d.Namespace, Author: by}, c.Upload.ID)
		if err != nil {
			return refusal(c, err)
		}
		return completed(u.State, u.Record != nil, func() int { return u.Record.Version })
	case history.Abort:
		return refusal(c, d.Artifacts.Abort(ctx, kv.Caller{Installation: d.Namespace, Author: by}, c.Upload.ID))
	}
	got, err := d.Artifacts.Open(ctx, kv.Caller{Installation: d.Namespace, Author: change.Author{At: time.Now()}}, kv.Position{Key: c.Key, Idx: c.Idx}, c.Drafts)
	if err != nil {
		return refusal(c, err)
	}
	shown := d.rows(c, nil, got.Record)
	if shown.Outcome != history.Done {
		return shown
	}
	value, a := fetch(ctx, d.HTTP, got.URL)
	switch {
	case a.Outcome != history.Done:
		return a
	case value != shown.Rows[0].Value:
		return impossible("the file of %+v is that of %d", shown.Rows[0], value)
	}
	return shown
}

// refusal interprets an error as outcome does, and also the refusals that only uploads and
// artifacts have.
func refusal(c history.Call, err error) history.Answer {
	var f *fault.Error
	if !errors.As(err, &f) {
		return outcome(c, err, history.Answer{})
	}
	if a, ok := refused(c, f.ID); ok {
		return a
	}
	return outcome(c, err, history.Answer{})
}

// refused interprets the id of a refusal that only uploads and artifacts have.
func refused(c history.Call, id string) (history.Answer, bool) {
	a := history.Answer{Outcome: history.Refused}
	switch {
	case id == "INCOMPLETE_UPLOAD":
		a.Note = history.Incomplete
	case id == fault.ErrNotFound.ID && c.Action != history.Open:
		a.Note = history.Gone
	case id == fault.ErrUnmet.ID:
		a.Note = history.Unmet
	case id == "UPLOAD_DONE", id == "NOT_AN_ARTIFACT":
	default:
		return history.Answer{}, false
	}
	return a, true
}

// completed returns the answer to a completion that succeeded.
func completed(state artifact.State, has bool, version func() int) history.Answer {
	if state != artifact.Done || !has {
		return impossible("a small file is %s after its completion, with a record: %t", state, has)
	}
	return history.Answer{Outcome: history.Done, Version: version()}
}

// send sends a file to the address of its upload.
func send(ctx context.Context, via *http.Client, c history.Call) history.Answer {
	file, to := history.File(c.Value), apiclient.Upload{URL: c.Upload.URL, Headers: c.Upload.Header}
	resp, err := apiclient.PutFile(ctx, via, to, bytes.NewReader(file), int64(len(file)))
	switch {
	case err != nil:
		return failed(c, err.Error())
	case resp.Status == http.StatusOK:
		return history.Answer{Outcome: history.Done}
	case resp.Status >= http.StatusInternalServerError:
		return failed(c, http.StatusText(resp.Status))
	}
	return impossible("the bucket refused a file: %v", resp)
}

// fetch fetches the file of an artifact and finds which artifact it is. It checks every byte.
func fetch(ctx context.Context, via *http.Client, url string) (value int, a history.Answer) {
	resp, err := apiclient.GetFile(ctx, via, url)
	switch {
	case err != nil:
		return 0, history.Answer{Outcome: history.Void, Note: err.Error()}
	case resp.Status >= http.StatusInternalServerError:
		return 0, history.Answer{Outcome: history.Void, Note: http.StatusText(resp.Status)}
	case resp.Status != http.StatusOK:
		return 0, impossible("the file of an artifact cannot be had: %v", resp)
	}
	if value, err = history.FileIn(resp.Body); err != nil {
		return 0, impossible("%v", err)
	}
	return value, history.Answer{Outcome: history.Done}
}
