package bus

import (
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
)

// Client makes the client of EventBridge. If AWS_ENDPOINT_URL_EVENTBRIDGE is not empty,
// it names another server.
func Client(cfg aws.Config) *eventbridge.Client {
	return eventbridge.NewFromConfig(cfg, func(o *eventbridge.Options) {
		if url := os.Getenv("AWS_ENDPOINT_URL_EVENTBRIDGE"); url != "" {
			o.BaseEndpoint = aws.String(url)
		}
	})
}
