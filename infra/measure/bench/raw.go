package bench

import (
	"context"
	"fmt"
	"reflect"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go/middleware"
)

// Inputs keeps the last input of a DynamoDB client for each operation ("GetItem"). So a handler
// can be compared with the same raw call that the handler makes.
type Inputs struct {
	mu   sync.Mutex
	last map[string]any
}

// Watch is an option of a DynamoDB client. The client's inputs are then kept.
func (i *Inputs) Watch(o *dynamodb.Options) {
	o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
		return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("remember",
			func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
				i.mu.Lock()
				if i.last == nil {
					i.last = map[string]any{}
				}
				i.last[middleware.GetOperationName(ctx)] = in.Parameters
				i.mu.Unlock()
				return next.HandleInitialize(ctx, in)
			}), middleware.After)
	})
}

// Last returns the last input of an operation. It returns an error if there was none.
func Last[T any](i *Inputs, operation string) (T, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	in, ok := i.last[operation].(T)
	if !ok {
		return in, fmt.Errorf("no %s was made", operation)
	}
	return in, nil
}

// Replace puts the value next in the place of every value of an input that equals old. So the
// raw call can be made again although the first one has had its effect. It returns an error if
// no value equals old: then the handler's input is no longer what the benchmark expects.
func Replace(values map[string]types.AttributeValue, old, next types.AttributeValue) error {
	found := false
	for name, value := range values {
		if reflect.DeepEqual(value, old) {
			values[name], found = next, true
		}
	}
	if !found {
		return fmt.Errorf("no value of the input is %v", old)
	}
	return nil
}

// WithoutStream turns off the stream of a table. dynoxide needs more time for every write when
// the table's stream has more records, because it searches all of them for the last one.
// DynamoDB does not.
func WithoutStream(ctx context.Context, db *dynamodb.Client, table string) error {
	_, err := db.UpdateTable(ctx, &dynamodb.UpdateTableInput{
		TableName: &table, StreamSpecification: &types.StreamSpecification{StreamEnabled: aws.Bool(false)},
	})
	if err != nil {
		return fmt.Errorf("turn off the stream of %s: %w", table, err)
	}
	return nil
}
