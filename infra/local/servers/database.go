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

// newDatabase is the empty SQLite file of the pinned dynoxide, with the additions of
// dynoxide/streams.sql. dynoxide/make makes it.
//
//go:embed dynoxide/new.sqlite
var newDatabase []byte

// databaseVersion is the user_version that streams.sql sets.
const databaseVersion = 1

// versionOffset is the position of the user_version in an SQLite file: 4 bytes, the most
// significant first ("Database File Format", sqlite.org).
const versionOffset = 60

// prepareDatabase makes the file for a new server. It keeps an existing file. If that file
// lacks the additions of newDatabase, report receives a line about it.
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

// writeWhole makes a file that only its owner can read. No reader ever sees a part of it.
func writeWhole(path string, content []byte) error {
	part := path + ".part"
	if err := os.WriteFile(part, content, 0o600); err != nil {
		return err
	}
	return os.Rename(part, path)
}
