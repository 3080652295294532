package streams

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// checkpoint records how far a function has read a stream. It is written after each batch, so
// that after a restart at most one batch is delivered again.
type checkpoint struct {
	file string

	Stream   string            `json:"stream"`   // its ARN: for another stream, reading starts at the beginning
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
