package table_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go/middleware"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
)

// TestChangesReturnItemsOnlyWhenTheyAreAskedFor holds requests to what the roles
// of functions demand that change items which they must not read
// (dynamodb:ReturnValues in template.yaml). No local server checks that.
func TestChangesReturnItemsOnlyWhenTheyAreAskedFor(t *testing.T) {
	t.Parallel()
	env := storagetest.New(t)
	var sent []string
	record := func(o *dynamodb.Options) {
		o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
			return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("record", func(
				ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler,
			) (middleware.InitializeOutput, middleware.Metadata, error) {
				switch in := in.Parameters.(type) {
				case *dynamodb.UpdateItemInput:
					sent = append(sent, string(in.ReturnValues), string(in.ReturnValuesOnConditionCheckFailure))
				case *dynamodb.PutItemInput:
					sent = append(sent, string(in.ReturnValues), string(in.ReturnValuesOnConditionCheckFailure))
				case *dynamodb.DeleteItemInput:
					sent = append(sent, string(in.ReturnValues), string(in.ReturnValuesOnConditionCheckFailure))
				case *dynamodb.TransactWriteItemsInput:
					for _, w := range in.TransactItems {
						if w.Update != nil {
							sent = append(sent, string(w.Update.ReturnValuesOnConditionCheckFailure))
						}
					}
				}
				return next.HandleInitialize(ctx, in)
			}), middleware.After)
		})
	}
	tab := table.Table{DB: dynamodb.New(env.DynamoDB.Options(), record), Name: env.Table("OperationsTable")}
	change := func() *table.Edit { return table.Change(key("a")).Set("n", attr.Int(1)).If(table.Exists("pk")) }
	old, all := string(types.ReturnValuesOnConditionCheckFailureAllOld), string(types.ReturnValueAllNew)
	for name, c := range map[string]struct {
		write func() error
		want  []string
	}{
		"put":    {func() error { return tab.Put(t.Context(), key("a"), table.Absent("n")) }, []string{"", ""}},
		"delete": {func() error { return tab.Delete(t.Context(), key("b"), table.Absent("pk")) }, []string{"", ""}},
		"update": {func() error { return tab.Update(t.Context(), change()) }, []string{"", ""}},
		"update that keeps the old item": {
			func() error { return tab.Update(t.Context(), change().KeepOld()) }, []string{"", old},
		},
		"update that returns the item": {
			func() error { _, err := tab.UpdateReturning(t.Context(), change()); return err }, []string{all, ""},
		},
		"transaction": {
			func() error {
				return tab.Transact(t.Context(), tab.WriteUpdate(change()), tab.WriteUpdate(table.Change(key("c")).Set("n", attr.Int(1)).If(table.Absent("n")).KeepOld()))
			}, []string{"", old},
		},
	} {
		sent = nil
		if err := c.write(); err != nil && !strings.Contains(err.Error(), "ConditionalCheckFailed") {
			t.Errorf("%s: %v", name, err)
		}
		if len(sent) < len(c.want) || !slices.Equal(sent[:len(c.want)], c.want) {
			t.Errorf("%s: sent %q, want %q", name, sent, c.want)
		}
	}
}
