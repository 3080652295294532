// Command dynamodb-s3 is an HTTP function with a DynamoDB and an S3 client that does nothing
// with them. It uses none of the product's packages, so that the comparison shows what these
// cost.
package main

import (
	"net/http"
	"os"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/awslabs/aws-lambda-go-api-proxy/httpadapter"
)

type handler struct {
	db      *dynamodb.Client
	objects *s3.Client
}

func (h handler) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Regions", h.db.Options().Region+" "+h.objects.Options().Region)
	w.WriteHeader(http.StatusNoContent)
}

func main() {
	cfg := aws.Config{
		Region: os.Getenv("AWS_REGION"),
		Credentials: credentials.NewStaticCredentialsProvider(
			os.Getenv("AWS_ACCESS_KEY_ID"), os.Getenv("AWS_SECRET_ACCESS_KEY"), os.Getenv("AWS_SESSION_TOKEN")),
	}
	mux := http.NewServeMux()
	mux.Handle("GET /", handler{db: dynamodb.NewFromConfig(cfg), objects: s3.NewFromConfig(cfg)})
	lambda.Start(httpadapter.New(mux).ProxyWithContext)
}
