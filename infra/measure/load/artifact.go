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

	"github.com/opsplane/opsplane/infra/apiclient"
)

// artifactSize is the size of a small Lambda package, in bytes.
const artifactSize = 1 << 20

// uploading is the API's description of an upload.
type uploading struct {
	ID    string
	State string
	Put   apiclient.Upload
}

// artifact stores a file without passing its bytes through the functions. It announces the file
// to the API, puts it into the bucket and completes it. Then it fetches the file from the
// address that the API returns, and deletes it.
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
	if err := errors.Join(err, a.Want(http.StatusCreated), a.Decode(&u)); err != nil {
		return err
	}
	if err := w.put(ctx, u, content); err != nil {
		return err
	}
	for u.State != "done" {
		a, err := w.client.do(ctx, "artifact: complete", http.MethodPost, installation+"artifact/upload/"+u.ID+"/complete", nil)
		if a.Status != http.StatusAccepted {
			err = errors.Join(err, a.Want(http.StatusOK))
		}
		if err := errors.Join(err, a.Decode(&u)); err != nil {
			return err
		}
	}
	if err := w.download(ctx, key, hash); err != nil {
		return err
	}
	a, err = w.client.do(ctx, "delete of a file", http.MethodDelete, target("key", key), nil)
	return errors.Join(err, a.Want(http.StatusOK))
}

// put sends the file to the address that the API signed.
func (w *worker) put(ctx context.Context, u uploading, content []byte) error {
	a, err := w.client.timed("artifact: PUT to the bucket", func() (apiclient.Response, error) {
		return apiclient.PutFile(ctx, w.client.HTTP, u.Put, bytes.NewReader(content), int64(len(content)))
	})
	return errors.Join(err, a.Want(http.StatusOK))
}

func (w *worker) download(ctx context.Context, key, hash string) error {
	a, err := w.client.do(ctx, "artifact: get", http.MethodGet, target("artifact/key", key), nil)
	if err := errors.Join(err, a.Want(http.StatusFound)); err != nil {
		return err
	}
	file, err := w.client.timed("artifact: GET from the bucket", func() (apiclient.Response, error) {
		return apiclient.GetFile(ctx, w.client.HTTP, a.Header.Get("Location"))
	})
	if err := errors.Join(err, file.Want(http.StatusOK)); err != nil {
		return err
	}
	digest := sha256.Sum256(file.Body)
	if got := hex.EncodeToString(digest[:]); got != hash {
		return fmt.Errorf("artifact: got %d bytes with hash %s, want %s", len(file.Body), got, hash)
	}
	return nil
}
