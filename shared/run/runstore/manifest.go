package runstore

import (
	"context"
	"fmt"

	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/storage/attr"
)

// MaxManifest is the largest body of a manifest that is stored in the table, in
// bytes. A larger one is an object.
const MaxManifest = 32 << 10

// ManifestPrefix is the beginning of the names of all objects of manifests. The
// function of runners may read only these.
const ManifestPrefix = "manifests/"

// ManifestObject returns the name of the object of a run's manifest. A removal finds
// the object by it.
func ManifestObject(id run.ID) string { return ManifestPrefix + string(id) }

// Manifest is the document that the runner of a run gets. Either Body or Object is
// set.
type Manifest struct {
	// Body is the document, at most MaxManifest bytes.
	Body []byte
	// Object is the name of the object that holds the document: that of
	// ManifestObject. Creation.Before stores it.
	Object string
}

func (m Manifest) validate(id run.ID) error {
	switch {
	case m.Object != "" && m.Object != ManifestObject(id):
		return fmt.Errorf("the manifest is the object %q, where no removal of the run finds it", m.Object)
	case (len(m.Body) == 0) == (m.Object == ""):
		return fmt.Errorf("a run has a manifest in its table or as an object; it has %d bytes and the object %q", len(m.Body), m.Object)
	case len(m.Body) > MaxManifest:
		return fmt.Errorf("the manifest has %d bytes; at most %d are stored in the table", len(m.Body), MaxManifest)
	}
	return nil
}

// manifestKey returns the key of a manifest. It is an item of its own, so that
// transitions of the run do not write it again.
func manifestKey(id run.ID) attr.Item { return in(runPartition(id), "MANIFEST") }

// readManifest returns the manifest of a run.
func (s Store) readManifest(ctx context.Context, r *record) (Manifest, error) {
	if r.manifest != "" {
		return Manifest{Object: r.manifest}, nil
	}
	item, err := s.table().Get(ctx, manifestKey(r.ID))
	if err != nil {
		return Manifest{}, fmt.Errorf("read manifest: %w", err)
	}
	read := attr.Read(item)
	m := Manifest{Body: read.Bytes("body")}
	if err := read.Err(); err != nil {
		return Manifest{}, fmt.Errorf("decode manifest of run %s: %w", r.ID, err)
	}
	if len(m.Body) == 0 {
		return Manifest{}, fmt.Errorf("the run %s has no manifest", r.ID)
	}
	return m, nil
}
