package kv

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/vcs"
)

// Stored returns the text form of an installation in stored keys, such as
// "github:1". It differs from vcs.Installation.String, which items of other
// tables have.
func Stored(in vcs.Installation) string { return string(in.VCS) + ":" + string(in.ID) }

// parseStored reads what Stored wrote.
func parseStored(text string) (in vcs.Installation, ok bool) {
	system, id, ok := strings.Cut(text, ":")
	return vcs.Installation{VCS: vcs.VCS(system), ID: vcs.ID(id)}, ok
}

// namespaces is the partition of the items that name the namespaces. The
// collector finds there whatever it has to look after.
const namespaces = "NAMESPACE"

// NamespaceKey is the key of a namespace's item. Beside the key it has "by",
// how many bytes of artifacts are stored or reserved (package artifact).
func NamespaceKey(ns vcs.Installation) attr.Item {
	return attr.Item{"pk": attr.String(namespaces), "sk": attr.Bytes([]byte(Stored(ns)))}
}

// register writes the namespace's item before the first thing in it that the
// collector may one day have to remove: a body, or a row beside idx 0. It
// writes once in the life of the store: the item is never removed.
func (s *Store) register(ctx context.Context, ns vcs.Installation) error {
	if _, ok := s.registered.Load(ns); ok {
		return nil
	}
	_, err := s.db.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &s.table, Key: NamespaceKey(ns), UpdateExpression: aws.String("SET rg = :yes"),
		ExpressionAttributeValues: attr.Item{":yes": attr.Bool(true)},
	})
	if err != nil {
		return fmt.Errorf("register namespace: %w", err)
	}
	s.registered.Store(ns, struct{}{})
	return nil
}
