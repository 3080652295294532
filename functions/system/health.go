package main

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/opsplane/opsplane/shared/api/httpapi"
)

// pingLimit is how long storage may take to respond. After that the server reports
// a failure.
const pingLimit = 5 * time.Second

// pinger reads an item that does not exist from storage. This costs half a read
// unit, and uses the same permission, network path and table as real reads.
func pinger(db *dynamodb.Client, table string) func(context.Context) error {
	nothing := &types.AttributeValueMemberS{Value: "HEALTH"}
	return func(ctx context.Context) error {
		_, err := db.GetItem(ctx, &dynamodb.GetItemInput{
			TableName: &table,
			Key:       map[string]types.AttributeValue{"pk": nothing, "sk": nothing},
		})
		return err
	}
}

func (s system) health(ctx context.Context, _ httpapi.Call, _ struct{}) (httpapi.Empty, error) {
	ctx, cancel := context.WithTimeout(ctx, pingLimit)
	defer cancel()
	if err := s.ping(ctx); err != nil {
		return httpapi.Empty{}, fmt.Errorf("storage does not respond: %w", err)
	}
	return httpapi.Empty{}, nil
}
