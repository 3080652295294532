package kv

import (
	"context"
	"fmt"
	"strings"

	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// Stored returns the text form of an installation in stored keys, such as
// "github:1". It differs from vcs.Installation.String, which items of other
// tables have.
func Stored(in vcs.Installation) string { return string(in.VCS) + ":" + string(in.ID) }

// parseStored parses what Stored returned. ok reports whether the text has the form
// of Stored.
func parseStored(text string) (in vcs.Installation, ok bool) {
	system, id, ok := strings.Cut(text, ":")
	return vcs.Installation{VCS: vcs.VCS(system), ID: vcs.ID(id)}, ok
}

// namespaces is the partition of the items that name the namespaces. The collector
// reads there which namespaces it has to collect.
const namespaces = "NAMESPACE"

// NamespaceKey returns the key of a namespace's item. The item also has the
// attribute "by": how many bytes of artifacts are stored or reserved (package
// artifact).
func NamespaceKey(ns vcs.Installation) attr.Item {
	return attr.Item{"pk": attr.String(namespaces), "sk": attr.Bytes([]byte(Stored(ns)))}
}

// register writes the namespace's item. It does so before anything is written that
// the collector may have to remove later: a body, or a row other than idx 0. The
// item is never removed, so a Store writes it only once.
func (s *Store) register(ctx context.Context, ns vcs.Installation) error {
	if _, ok := s.registered.Load(ns); ok {
		return nil
	}
	if err := s.table.Update(ctx, table.Change(NamespaceKey(ns)).Set("rg", attr.Bool(true))); err != nil {
		return fmt.Errorf("register namespace: %w", err)
	}
	s.registered.Store(ns, struct{}{})
	return nil
}
