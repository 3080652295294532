package source

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/opsplane/opsplane/shared/evaluation/lane"
	"github.com/opsplane/opsplane/shared/repoconfig"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// named returns the name of an object.
func named(of vcs.Repository, kind, commits string) string {
	return lane.Folder(of) + kind + "/" + commits
}

// kept is what an object holds.
type kept struct {
	Config   repoconfig.File
	Mistakes repoconfig.Mistakes
	// Paths are in byte order.
	Paths []string
}

// head is the first line of an object, as JSON. The paths follow, each with a zero byte
// behind it, which no path of git has.
type head struct {
	Config   repoconfig.File     `json:"config"`
	Mistakes repoconfig.Mistakes `json:"mistakes,omitempty"`
	// Paths is their number.
	Paths int `json:"paths"`
}

// Limits of the text of an object, in bytes. A head has a configuration in base64.
const (
	maxHead = 2*vcshost.MaxFileBytes + 1<<16
	maxText = maxHead + maxPathBytes + 2*vcshost.MaxFiles
)

// encode returns the content of an object, compressed.
func (k kept) encode() ([]byte, error) {
	var text bytes.Buffer
	w := gzip.NewWriter(&text)
	if err := json.NewEncoder(w).Encode(head{k.Config, k.Mistakes, len(k.Paths)}); err != nil {
		return nil, fmt.Errorf("encode what was read: %w", err)
	}
	for _, path := range k.Paths {
		if _, err := io.WriteString(w, path+"\x00"); err != nil {
			return nil, fmt.Errorf("encode what was read: %w", err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("encode what was read: %w", err)
	}
	return text.Bytes(), nil
}

// errDamaged says that an object is not as it was written.
var errDamaged = errors.New("the object is damaged")

// decode reads what encode returned. The paths share one text.
func decode(packed []byte) (kept, error) {
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return kept{}, errDamaged
	}
	var text strings.Builder
	if _, err := io.Copy(&text, io.LimitReader(r, maxText)); err != nil {
		return kept{}, errDamaged
	}
	line, rest, _ := strings.Cut(text.String(), "\n")
	var h head
	if err := json.Unmarshal([]byte(line), &h); err != nil || strings.Count(rest, "\x00") != h.Paths {
		return kept{}, errDamaged
	}
	k := kept{Config: h.Config, Mistakes: h.Mistakes}
	if h.Paths > 0 {
		k.Paths = strings.Split(strings.TrimSuffix(rest, "\x00"), "\x00")
	}
	return k, nil
}

// get reads an object. ok is false if it does not exist, or is damaged.
func (s Source) get(ctx context.Context, name string) (found kept, ok bool, err error) {
	packed, err := s.Objects.Get(ctx, name)
	var missing *types.NoSuchKey
	if errors.As(err, &missing) {
		return kept{}, false, nil
	}
	if err != nil {
		return kept{}, false, fmt.Errorf("read what is kept of a repository: %w", err)
	}
	found, err = decode(packed)
	return found, err == nil, nil
}

// put writes an object, unless the source only reads.
func (s Source) put(ctx context.Context, name string, k kept) error {
	if s.ReadOnly {
		return nil
	}
	packed, err := k.encode()
	if err == nil {
		err = s.Objects.Put(ctx, name, packed)
	}
	if err != nil {
		return fmt.Errorf("keep what was read of a repository: %w", err)
	}
	return nil
}
