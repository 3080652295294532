//go:build unix

package servers

import (
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/opsplane/opsplane/infra/test/template"
)

// TestMain lets the test binary run as the S3 server, as the real programs do.
func TestMain(m *testing.M) {
	Helper()
	os.Exit(m.Run())
}

func toolsDir(t *testing.T) string {
	t.Helper()
	root, err := template.Root(".")
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(root, ".tools")
}

func start(t *testing.T, o Options) *Servers {
	t.Helper()
	// DYNAMODB chooses the server for these tests, as for all others.
	o.DynamoDB = os.Getenv("DYNAMODB")
	o.ToolsDir, o.Report = toolsDir(t), func(line string) { t.Log(line) }
	s, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func clients(s *Servers, secret string) (*dynamodb.Client, *s3.Client) {
	keys := credentials.NewStaticCredentialsProvider(AccessKey, secret, "")
	return dynamodb.New(dynamodb.Options{Region: Region, Credentials: keys, BaseEndpoint: aws.String(s.DynamoDBURL)}),
		s3.New(s3.Options{Region: Region, Credentials: keys, BaseEndpoint: aws.String(s.S3URL), UsePathStyle: true})
}

func TestDataIsKeptBetweenRuns(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := start(t, Options{DataDir: dir})
	db, objects := clients(first, SecretKey)
	_, err := db.CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName: aws.String("kept"), BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("k"), AttributeType: types.ScalarAttributeTypeS}},
		KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String("k"), KeyType: types.KeyTypeHash}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := objects.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("kept")}); err != nil {
		t.Fatal(err)
	}
	first.Close()
	db, objects = clients(start(t, Options{DataDir: dir}), SecretKey)
	if out, err := db.ListTables(t.Context(), &dynamodb.ListTablesInput{}); err != nil || len(out.TableNames) != 1 {
		t.Errorf("tables: got %v, %v", out, err)
	}
	if _, err := objects.HeadBucket(t.Context(), &s3.HeadBucketInput{Bucket: aws.String("kept")}); err != nil {
		t.Errorf("bucket: %v", err)
	}
}

func TestServersAreReachedFromThisMachineOnly(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	urls := []string{s.S3URL}
	// Without namespaces DynamoDB Local listens on every interface.
	if runtime.GOOS == "linux" {
		urls = append(urls, s.DynamoDBURL)
	}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, url := range urls {
		_, port, _ := net.SplitHostPort(strings.TrimPrefix(url, "http://"))
		for _, a := range addresses {
			ip := a.(*net.IPNet).IP
			if ip.IsLoopback() {
				continue
			}
			if conn, err := net.DialTimeout("tcp", net.JoinHostPort(ip.String(), port), time.Second); err == nil {
				_ = conn.Close()
				t.Errorf("%s answers on %s", url, ip)
			}
		}
	}
}

func TestS3ServerChecksTheSecret(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	_, objects := clients(s, "wrong")
	if _, err := objects.ListBuckets(t.Context(), &s3.ListBucketsInput{}); err == nil || !strings.Contains(err.Error(), "SignatureDoesNotMatch") {
		t.Errorf("a wrong secret: got %v", err)
	}
}

func TestCloseRemovesWhatNobodyKeeps(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	s.Close()
	if _, err := os.Stat(s.scratch); !os.IsNotExist(err) {
		t.Errorf("the temporary folder: %v", err)
	}
	if response, err := http.Get(s.S3URL); err == nil {
		_ = response.Body.Close()
		t.Error("the S3 server answers after Close")
	}
}

func TestChangedBinaryIsRefused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "binary")
	if err := os.WriteFile(path, []byte("other"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := verify(path, dynoxideSHA256); err == nil || !strings.Contains(err.Error(), "is not the pinned file") {
		t.Errorf("got %v", err)
	}
}

// S3 accepts any bytes with any type. A body of this type need not be a form of a browser.
func TestObjectOfTheTypeOfFormsIsTakenAsItIs(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	_, objects := clients(s, SecretKey)
	bucket, key, kind := "forms", "k", "multipart/form-data; boundary=x"
	if _, err := objects.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &bucket}); err != nil {
		t.Fatal(err)
	}
	for _, body := range []string{"no form", "", "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--x--\r\n"} {
		if _, err := objects.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: &key, ContentType: &kind, Body: strings.NewReader(body)}); err != nil {
			t.Errorf("put %q: %v", body, err)
			continue
		}
		got, err := objects.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: &key})
		if err != nil {
			t.Errorf("get %q: %v", body, err)
			continue
		}
		text, err := io.ReadAll(got.Body)
		if string(text) != body || aws.ToString(got.ContentType) != kind || err != nil {
			t.Errorf("got %q of %q, %v; want %q", text, aws.ToString(got.ContentType), err, body)
		}
	}
}
