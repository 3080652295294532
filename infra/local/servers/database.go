//go:build unix

package servers

import (
	_ "embed"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// newDatabase is the empty SQLite file of the pinned dynoxide, and what
// dynoxide/streams.sql adds to it. dynoxide/make makes it.
//
//go:embed dynoxide/new.sqlite
var newDatabase []byte

// databaseVersion is the user_version that streams.sql sets.
const databaseVersion = 1

// versionOffset is where an SQLite file has its user_version, 4 bytes with the
// most significant one first ("Database File Format", sqlite.org).
const versionOffset = 60

// prepareDatabase makes the file for a new server. One that is there is kept;
// if it lacks what newDatabase has, report is told.
func prepareDatabase(path string, report func(string)) error {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return writeWhole(path, newDatabase)
	}
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	var version [4]byte
	_, err = file.ReadAt(version[:], versionOffset)
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read %s: %w", path, err)
	}
	if binary.BigEndian.Uint32(version[:]) != databaseVersion {
		report("the data was made by an earlier version: each change makes it slower; make clean removes it")
	}
	return nil
}

// writeWhole makes a file, readable by its owner alone. It is never seen in
// part.
func writeWhole(path string, content []byte) error {
	part := path + ".part"
	if err := os.WriteFile(part, content, 0o600); err != nil {
		return err
	}
	return os.Rename(part, path)
}
