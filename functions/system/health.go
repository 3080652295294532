package main

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/opsplane/opsplane/shared/api/httpapi"
)

// pingLimit is how long storage may take to answer before the server counts
// as unwell.
const pingLimit = 5 * time.Second

// pinger asks storage for an item that does not exist: half a read unit, and
// the same permission, network path and table that real reads need.
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
		return httpapi.Empty{}, fmt.Errorf("storage does not answer: %w", err)
	}
	return httpapi.Empty{}, nil
}
