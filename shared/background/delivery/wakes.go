package delivery

import (
	"github.com/opsplane/opsplane/shared/background/stream"
	"github.com/opsplane/opsplane/shared/storage/attr"
)

// Wakes reports whether a change of DeliveriesTable must wake the worker: a
// delivery has arrived, or is to be processed again. It returns the delivery's key,
// and the id of its repository if it names one. The worker's own writes wake
// nobody. An attribute of a wrong type counts as absent, because Begin reads the
// item and reports it.
func Wakes(record stream.Record) (k Key, repository string, ok bool) {
	is, was := attr.Read(record.New), attr.Read(record.Old)
	if is.String(attrState) != string(Received) {
		return Key{}, "", false
	}
	if was.String(attrState) == string(Received) && was.Int(attrRedelivered) == is.Int(attrRedelivered) {
		return Key{}, "", false
	}
	key := attr.Read(record.Key)
	return Key{Lane: key.String("pk"), Place: key.String("sk")}, is.String(attrRepository), true
}
