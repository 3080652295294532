package kv

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/opsplane/opsplane/shared/storage/attr"
)

// namespaces is the partition of the items that name the namespaces. The
// collector finds there whatever it has to look after.
const namespaces = "NAMESPACE"

// NamespaceKey is the key of a namespace's item. Beside the key it has "by",
// how many bytes of artifacts are stored or reserved (package artifact).
func NamespaceKey(ns Namespace) attr.Item {
	return attr.Item{"pk": attr.String(namespaces), "sk": attr.Bytes([]byte(ns.partition()))}
}

// register writes the namespace's item before the first thing in it that the
// collector may one day have to remove: a body, or a row beside idx 0. It
// writes once in the life of the store: the item is never removed.
func (s *Store) register(ctx context.Context, ns Namespace) error {
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
