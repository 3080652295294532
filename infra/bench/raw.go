package bench

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"sync"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/smithy-go/middleware"
	"github.com/google/uuid"
)

// Inputs remembers what a DynamoDB client was last asked, by operation
// ("GetItem"): the raw call that a handler is measured against is the
// handler's own.
type Inputs struct {
	mu   sync.Mutex
	last map[string]any
}

// Watch is a client option.
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

// Last answers the last input of an operation; an error if there was none.
func Last[T any](i *Inputs, operation string) (T, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	in, ok := i.last[operation].(T)
	if !ok {
		return in, fmt.Errorf("no %s was made", operation)
	}
	return in, nil
}

// Handler is a Lambda handler in this process, called with one event as Lambda
// calls it: JSON in, JSON out, each invocation with an id of its own.
type Handler struct {
	handler lambda.Handler
	event   []byte
}

// NewHandler makes a handler of a function that package lambda accepts and an
// event's file, in which each of the placeholders given (old, new, …) is
// replaced.
func NewHandler(function any, file string, placeholders ...string) (*Handler, error) {
	event, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	for i := 0; i+1 < len(placeholders); i += 2 {
		event = bytes.ReplaceAll(event, []byte(placeholders[i]), []byte(placeholders[i+1]))
	}
	return &Handler{lambda.NewHandler(function), event}, nil
}

// answered is what stands in the answer to a request that went well.
var answered = []byte(`"statusCode":200`)

// Invoke makes one call; another status than 200 is an error.
func (h *Handler) Invoke() error {
	ctx := lambdacontext.NewContext(context.Background(), &lambdacontext.LambdaContext{AwsRequestID: uuid.NewString()})
	answer, err := h.handler.Invoke(ctx, h.event)
	if err != nil {
		return err
	}
	if !bytes.Contains(answer, answered) {
		return fmt.Errorf("the handler answers %.300s", answer)
	}
	return nil
}
