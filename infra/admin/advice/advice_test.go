package advice_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/smithy-go"

	"github.com/opsplane/opsplane/infra/admin/advice"
	"github.com/opsplane/opsplane/shared/api/fault"
)

func TestErrorsSayWhatToDoNext(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"refused input":    {fmt.Errorf("create: %w", fault.Invalidf("INVALID_NAME", "a name has 1 to 39 characters")), "a name has 1 to 39 characters"},
		"nothing listens":  {fmt.Errorf("get item: %w", &net.OpError{Op: "dial", Err: errors.New("refused")}), "make run"},
		"no right":         {&smithy.GenericAPIError{Code: "AccessDenied"}, "docs/operations.md"},
		"no table":         {&smithy.GenericAPIError{Code: "ResourceNotFoundException"}, "right region"},
		"no stack":         {&smithy.GenericAPIError{Code: "ValidationError"}, "check its name"},
		"session over":     {&smithy.GenericAPIError{Code: "ExpiredToken"}, "log in again"},
		"anything else":    {errors.New("disk full"), "disk full"},
		"an unknown error": {&smithy.GenericAPIError{Code: "Odd", Message: "no"}, "api error Odd: no"},
	} {
		if got := advice.Explain(c.err); !strings.Contains(got, c.want) {
			t.Errorf("%s: got %q, want %q in it", name, got, c.want)
		}
	}
}

func TestMissingCredentialsAreOneLineWithoutTheSDKsText(t *testing.T) {
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION"} {
		t.Setenv(name, "")
	}
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	for _, name := range []string{"AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"} {
		t.Setenv(name, t.TempDir()+"/none")
	}
	for _, region := range []string{"", "eu-central-1"} {
		t.Setenv("AWS_REGION", region)
		cfg, err := config.LoadDefaultConfig(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		_, err = cloudformation.NewFromConfig(cfg).DescribeStacks(context.Background(), &cloudformation.DescribeStacksInput{})
		if got := advice.Explain(err); strings.Contains(got, "\n") || strings.Contains(got, "operation error") || !strings.Contains(got, "AWS_PROFILE") {
			t.Errorf("region %q: got %q for %v, want one line that says what to do", region, got, err)
		}
	}
	t.Setenv("AWS_PROFILE", "nobody")
	if _, err := config.LoadDefaultConfig(context.Background()); err == nil || !strings.Contains(advice.Explain(err), "AWS_PROFILE") {
		t.Errorf("unknown profile: got %v", err)
	}
}
