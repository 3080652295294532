// Package s3client makes the S3 client of a function from its environment. It
// stands apart from shared/storage/awsclient, so that only a function that keeps
// objects links it and pays for its start-up.
package s3client

import (
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// New makes a client. AWS_ENDPOINT_URL_S3, if not empty, names another server
// to talk to, addressed by path since it has no wildcard host names.
func New(cfg aws.Config) *s3.Client {
	return s3.NewFromConfig(cfg, func(o *s3.Options) {
		if url := os.Getenv("AWS_ENDPOINT_URL_S3"); url != "" {
			o.BaseEndpoint = aws.String(url)
			o.UsePathStyle = true
		}
	})
}
