// Package provision makes the tables and buckets that a template declares, on local servers. It
// does not change those that exist.
package provision

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/opsplane/opsplane/infra/test/template"
)

// Name returns the local name of a table or bucket. The prefix separates them from other tables
// and buckets on a server of the user's own.
func Name(logicalID string) string { return "opsplane-" + strings.ToLower(logicalID) }

// Missing returns the tables that do not exist yet.
func Missing(ctx context.Context, db *dynamodb.Client, t *template.Template) ([]template.Table, error) {
	var missing []template.Table
	for _, table := range t.Tables {
		_, err := db.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: aws.String(table.Name)})
		var absent *ddb.ResourceNotFoundException
		switch {
		case errors.As(err, &absent):
			missing = append(missing, table)
		case err != nil:
			return nil, fmt.Errorf("look for table %s: %w", table.Name, err)
		}
	}
	return missing, nil
}

// Tables makes the given tables of a template. It is no error if another stack on the same
// server makes a table first.
func Tables(ctx context.Context, db *dynamodb.Client, t *template.Template, tables []template.Table) error {
	for _, table := range tables {
		_, err := db.CreateTable(ctx, t.LocalInput(table))
		var exists *ddb.ResourceInUseException
		if err != nil && !errors.As(err, &exists) {
			return fmt.Errorf("make table %s: %w", table.Name, err)
		}
		if ttl := table.TTLInput(); ttl != nil && err == nil {
			if _, err := db.UpdateTimeToLive(ctx, ttl); err != nil {
				return fmt.Errorf("let items of table %s expire: %w", table.Name, err)
			}
		}
	}
	return nil
}

// Buckets makes the buckets that do not exist yet.
func Buckets(ctx context.Context, client *s3.Client, t *template.Template) error {
	for _, b := range t.Buckets {
		_, err := client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String(b.Name)})
		var owned *s3types.BucketAlreadyOwnedByYou
		var exists *s3types.BucketAlreadyExists
		if err != nil && !errors.As(err, &owned) && !errors.As(err, &exists) {
			return fmt.Errorf("make bucket %s: %w", b.Name, err)
		}
	}
	return nil
}
