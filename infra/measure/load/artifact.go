package load

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

// artifactSize is that of a small Lambda package.
const artifactSize = 1 << 20

// uploading is what the API says of an artifact on its way.
type uploading struct {
	ID    string
	State string
	Put   struct {
		URL     string
		Headers map[string]string
	}
}

// artifact carries a file past the functions: announced to the API, put into
// the bucket, completed, fetched from where the API sends us, and deleted.
func (w *worker) artifact(ctx context.Context) error {
	w.files++
	key := fmt.Sprintf("%s/artifact/%d", w.prefix, w.files)
	content := []byte(w.text(artifactSize))
	digest := sha256.Sum256(content)
	hash := hex.EncodeToString(digest[:])
	body, err := json.Marshal(map[string]any{"size": len(content), "sha256": hash, "content_type": "application/zip"})
	if err != nil {
		return err
	}
	a, err := w.client.do(ctx, "artifact: create", http.MethodPost, target("artifact/key", key), body)
	var u uploading
	if err := errors.Join(err, a.want(http.StatusCreated), a.read(&u)); err != nil {
		return err
	}
	if err := w.put(ctx, u, content); err != nil {
		return err
	}
	for u.State != "done" {
		a, err := w.client.do(ctx, "artifact: complete", http.MethodPost, installation+"artifact/upload/"+u.ID+"/complete", nil)
		if a.status != http.StatusAccepted {
			err = errors.Join(err, a.want(http.StatusOK))
		}
		if err := errors.Join(err, a.read(&u)); err != nil {
			return err
		}
	}
	if err := w.download(ctx, key, hash); err != nil {
		return err
	}
	a, err = w.client.do(ctx, "delete of a file", http.MethodDelete, target("key", key), nil)
	return errors.Join(err, a.want(http.StatusOK))
}

// put sends the file to the address that the API signed.
func (w *worker) put(ctx context.Context, u uploading, content []byte) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPut, u.Put.URL, bytes.NewReader(content))
	if err != nil {
		return err
	}
	for name, value := range u.Put.Headers {
		request.Header.Set(name, value)
	}
	a, err := w.client.send("artifact: PUT to the bucket", request)
	return errors.Join(err, a.want(http.StatusOK))
}

func (w *worker) download(ctx context.Context, key, hash string) error {
	a, err := w.client.do(ctx, "artifact: get", http.MethodGet, target("artifact/key", key), nil)
	if err := errors.Join(err, a.want(http.StatusFound)); err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, a.header.Get("Location"), nil)
	if err != nil {
		return err
	}
	if a, err = w.client.send("artifact: GET from the bucket", request); err != nil {
		return err
	}
	digest := sha256.Sum256(a.body)
	if got := hex.EncodeToString(digest[:]); a.status != http.StatusOK || got != hash {
		return fmt.Errorf("artifact: got %d, %d bytes with hash %s, want %s", a.status, len(a.body), got, hash)
	}
	return nil
}
