package streams

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// checkpoint is how far a function has come in a stream. It is written after
// each batch, so that a restart delivers at most one batch again.
type checkpoint struct {
	file string

	Stream   string            `json:"stream"`   // its ARN: another stream begins anew
	Position map[string]string `json:"position"` // last sequence number by shard
	Finished map[string]bool   `json:"finished"` // shards that were read to their end
}

func openCheckpoint(file, stream string) (*checkpoint, error) {
	c := &checkpoint{}
	text, err := os.ReadFile(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	default:
		if err := json.Unmarshal(text, c); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
	}
	if c.Stream != stream {
		*c = checkpoint{Stream: stream}
	}
	if c.Position == nil {
		c.Position = map[string]string{}
	}
	if c.Finished == nil {
		c.Finished = map[string]bool{}
	}
	c.file = file
	return c, nil
}

func (c *checkpoint) save() error {
	text, err := json.Marshal(c)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(c.file), 0o700); err != nil {
		return err
	}
	part := c.file + ".part"
	if err := os.WriteFile(part, text, 0o600); err != nil {
		return err
	}
	return os.Rename(part, c.file)
}
