// Package expiry deletes expired items from a server that does not delete them itself. AWS
// deletes such items within days, and no reader may rely on the deletion. Here it keeps the
// folder of data from growing without limit.
package expiry

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/opsplane/opsplane/infra/test/template"
)

// Sweep deletes the items of a table that expired before now, and returns the number of deleted
// items. If an item's time changes meanwhile, the item stays.
func Sweep(ctx context.Context, db *dynamodb.Client, table template.Table, now time.Time) (int, error) {
	if table.TTLAttribute == "" {
		return 0, nil
	}
	names := map[string]string{"#ttl": table.TTLAttribute}
	values := map[string]types.AttributeValue{":now": &types.AttributeValueMemberN{Value: strconv.FormatInt(now.Unix(), 10)}}
	const expired = "#ttl < :now"
	var projection string
	for i, key := range table.CreateInput().KeySchema {
		name := "#k" + strconv.Itoa(i)
		names[name] = aws.ToString(key.AttributeName)
		if i > 0 {
			projection += ", "
		}
		projection += name
	}
	deleted := 0
	pages := dynamodb.NewScanPaginator(db, &dynamodb.ScanInput{
		TableName: aws.String(table.Name), FilterExpression: aws.String(expired), ProjectionExpression: aws.String(projection),
		ExpressionAttributeNames: names, ExpressionAttributeValues: values,
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return deleted, err
		}
		for _, key := range page.Items {
			_, err := db.DeleteItem(ctx, &dynamodb.DeleteItemInput{
				TableName: aws.String(table.Name), Key: key, ConditionExpression: aws.String(expired),
				ExpressionAttributeNames: map[string]string{"#ttl": table.TTLAttribute}, ExpressionAttributeValues: values,
			})
			var changed *types.ConditionalCheckFailedException
			switch {
			case errors.As(err, &changed):
			case err != nil:
				return deleted, err
			default:
				deleted++
			}
		}
	}
	return deleted, nil
}
