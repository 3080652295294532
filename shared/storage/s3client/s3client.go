// Package s3client makes the S3 client of a function from its environment. It is
// separate from shared/storage/awsclient, so that only a function that stores
// objects links it and has the cost at its start.
package s3client

import (
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// New makes a client. If AWS_ENDPOINT_URL_S3 is not empty, it names another server.
// The client then puts the bucket into the path, because that server has no
// wildcard host names.
func New(cfg aws.Config) *s3.Client {
	return s3.NewFromConfig(cfg, func(o *s3.Options) {
		if url := os.Getenv("AWS_ENDPOINT_URL_S3"); url != "" {
			o.BaseEndpoint = aws.String(url)
			o.UsePathStyle = true
		}
	})
}
