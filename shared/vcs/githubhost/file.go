package githubhost

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"path"
	"strings"

	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// File returns the content of a file at a commit. It returns vcshost.ErrGone if there
// is no file with the path, and vcshost.ErrTooLarge if it has more than
// vcshost.MaxFileBytes. Of a symbolic link to a file, GitHub returns that file.
func (i *Installation) File(ctx context.Context, r vcs.Description, file, commit string) ([]byte, error) {
	const doing = "read file"
	if file == "" || path.Clean("/"+file) != "/"+file {
		return nil, fmt.Errorf("github: %s: it is not the path of a file: %w", doing, vcshost.ErrGone)
	}
	var text json.RawMessage
	at := fmt.Sprintf("repos/%s/%s/contents/%s?ref=%s", r.Owner, r.Name, escaped(file), url.QueryEscape(commit))
	if _, err := get(ctx, i.client, doing, at, &text); err != nil {
		return nil, err
	}
	var found struct {
		Type     string `json:"type"`
		Size     int64  `json:"size"`
		Encoding string `json:"encoding"`
		Content  string `json:"content"`
	}
	if bytes.HasPrefix(bytes.TrimSpace(text), []byte("[")) {
		return nil, fmt.Errorf("github: %s: it is a directory: %w", doing, vcshost.ErrGone)
	}
	if err := json.Unmarshal(text, &found); err != nil {
		return nil, fmt.Errorf("github: %s: the answer is no file", doing)
	}
	switch {
	case found.Type != "file":
		return nil, fmt.Errorf("github: %s: it is no file: %w", doing, vcshost.ErrGone)
	case found.Size > vcshost.MaxFileBytes:
		return nil, fmt.Errorf("github: %s: it has %d bytes: %w", doing, found.Size, vcshost.ErrTooLarge)
	case found.Encoding != "base64":
		return nil, fmt.Errorf("github: %s: the answer does not have its content", doing)
	}
	content, err := base64.StdEncoding.DecodeString(found.Content) // ignores line ends
	if err != nil || int64(len(content)) != found.Size {
		return nil, fmt.Errorf("github: %s: the answer does not have its whole content", doing)
	}
	return content, nil
}

// escaped returns a path in the form of an address.
func escaped(path string) string {
	parts := strings.Split(path, "/")
	for i, part := range parts {
		parts[i] = url.PathEscape(part)
	}
	return strings.Join(parts, "/")
}
