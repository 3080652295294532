package load

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

const (
	// chunkSize is the length of the text of one chunk.
	chunkSize = 100 << 10
	// chunks is the number of chunks of one file.
	chunks = 3
)

// upload stores a file as clients do: it writes chunks as drafts, which nobody sees, and
// publishes them with one commit. Then it reads the file back and deletes it.
func (w *worker) upload(ctx context.Context) error {
	w.files++
	key := fmt.Sprintf("%s/file/%d", w.prefix, w.files)
	var content [chunks]string
	for idx := range content {
		content[idx] = w.text(chunkSize)
		body, err := json.Marshal(map[string]any{"idx": idx, "committed": false, "data": content[idx]})
		if err != nil {
			return err
		}
		a, err := w.client.do(ctx, "set of a chunk", http.MethodPut, target("key", key), body)
		if err := errors.Join(err, a.Want(http.StatusOK)); err != nil {
			return err
		}
	}
	a, err := w.client.do(ctx, "get", http.MethodGet, target("key", key), nil)
	if err := errors.Join(err, a.Want(http.StatusNotFound)); err != nil {
		return fmt.Errorf("a draft: %w", err)
	}
	if err := w.commit(ctx, key); err != nil {
		return err
	}
	for idx, text := range content {
		a, err := w.client.do(ctx, "get of a chunk", http.MethodGet, fmt.Sprintf("%s?idx=%d", target("key", key), idx), nil)
		var r record
		if err := errors.Join(err, a.Want(http.StatusOK), a.Decode(&r)); err != nil {
			return err
		}
		if r.Data == nil || *r.Data != text {
			return fmt.Errorf("chunk %d: got %d bytes that are not those written", idx, len(deref(r.Data)))
		}
	}
	if err := w.measure(ctx, key); err != nil {
		return err
	}
	a, err = w.client.do(ctx, "delete of a file", http.MethodDelete, target("key", key), nil)
	if err := errors.Join(err, a.Want(http.StatusOK)); err != nil {
		return err
	}
	a, err = w.client.do(ctx, "get", http.MethodGet, target("key", key)+"?committed=false", nil)
	return errors.Join(err, a.Want(http.StatusNotFound))
}

func (w *worker) commit(ctx context.Context, key string) error {
	body, err := json.Marshal(map[string]any{"keys": []map[string]string{{"key": key}}})
	if err != nil {
		return err
	}
	a, err := w.client.do(ctx, "commit", http.MethodPost, installation+"commit", body)
	var got struct{ Keys []record }
	if err := errors.Join(err, a.Want(http.StatusOK), a.Decode(&got)); err != nil {
		return err
	}
	if len(got.Keys) != chunks && !a.Uncertain {
		return fmt.Errorf("commit: got %d rows, want %d", len(got.Keys), chunks)
	}
	return nil
}

// measure requests the number of rows and their size.
func (w *worker) measure(ctx context.Context, key string) error {
	a, err := w.client.do(ctx, "count", http.MethodGet, target("count/key", key), nil)
	var count struct{ Count int }
	if err := errors.Join(err, a.Want(http.StatusOK), a.Decode(&count)); err != nil {
		return err
	}
	a, err = w.client.do(ctx, "size", http.MethodGet, target("size/key", key), nil)
	var size struct{ Size int }
	if err := errors.Join(err, a.Want(http.StatusOK), a.Decode(&size)); err != nil {
		return err
	}
	// The size of a value is the size of its JSON text, with the quotes.
	if want := chunks * (chunkSize + 2); count.Count != chunks || size.Size != want {
		return fmt.Errorf("got %d rows of %d bytes, want %d of %d", count.Count, size.Size, chunks, want)
	}
	return nil
}
