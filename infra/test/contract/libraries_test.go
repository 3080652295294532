package contract

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// hostLibraries are large: they have types for everything that a host can send.
var hostLibraries = []string{"github.com/google/go-github/", "github.com/bradleyfalzon/ghinstallation/", "gitlab.com/gitlab-org/api/client-go"}

// askers are the functions that send requests to a host, and so link its libraries.
var askers = []string{"commands", "dispatcher", "explain", "hosts", "jobs", "login", "orchestrator", "renewer", "repositories", "runner"}

// TestOnlyFunctionsThatAskAHostLinkItsLibraries looks at the packages that the linker gets for
// each function.
func TestOnlyFunctionsThatAskAHostLinkItsLibraries(t *testing.T) {
	t.Parallel()
	folders, err := os.ReadDir("../../../functions")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, folder := range folders {
		list := exec.CommandContext(t.Context(), "go", "list", "-deps", "-tags", "lambda.norpc", ".")
		list.Dir = filepath.Join("../../../functions", folder.Name())
		out, err := list.Output()
		if err != nil {
			t.Fatalf("%s: %v", folder.Name(), err)
		}
		var linked []string
		for path := range strings.Lines(string(out)) {
			for _, library := range hostLibraries {
				if strings.HasPrefix(path, library) {
					linked = append(linked, strings.TrimSpace(path))
				}
			}
		}
		asks := slices.Contains(askers, folder.Name())
		if asks {
			found++
		}
		if !asks && len(linked) > 0 {
			t.Errorf("%s links %s", folder.Name(), strings.Join(linked, ", "))
		}
		if asks && len(linked) == 0 {
			t.Errorf("%s is to ask a host, and links none of the libraries", folder.Name())
		}
	}
	if found != len(askers) {
		t.Errorf("%d of the functions that ask a host are there, want %d", found, len(askers))
	}
}

// decoders are the functions that read the deliveries of hosts.
var decoders = []string{"webhooks", "worker"}

// TestOnlyFunctionsThatReadDeliveriesLinkTheDecoder checks a rule: the version of a fact is in
// shared/vcs, so that code that makes facts needs no decoder.
func TestOnlyFunctionsThatReadDeliveriesLinkTheDecoder(t *testing.T) {
	t.Parallel()
	const decoder = "github.com/opsplane/opsplane/shared/vcs/vcsevent"
	folders, err := os.ReadDir("../../../functions")
	if err != nil {
		t.Fatal(err)
	}
	var linking []string
	for _, folder := range folders {
		list := exec.CommandContext(t.Context(), "go", "list", "-deps", "-tags", "lambda.norpc", ".")
		list.Dir = filepath.Join("../../../functions", folder.Name())
		out, err := list.Output()
		if err != nil {
			t.Fatalf("%s: %v", folder.Name(), err)
		}
		if slices.Contains(strings.Fields(string(out)), decoder) {
			linking = append(linking, folder.Name())
		}
	}
	if !slices.Equal(linking, decoders) {
		t.Errorf("the decoder of deliveries is linked by %q, want %q", linking, decoders)
	}
}

// withoutObjects are functions that do not need the S3 client, but could link it through a
// package that they use.
var withoutObjects = []string{"auditor", "audit", "authorizer", "tokens"}

// TestFunctionsThatKeepNoObjectsLinkNoS3Client looks at the packages that the linker gets.
func TestFunctionsThatKeepNoObjectsLinkNoS3Client(t *testing.T) {
	t.Parallel()
	for _, function := range withoutObjects {
		list := exec.CommandContext(t.Context(), "go", "list", "-deps", "-tags", "lambda.norpc", ".")
		list.Dir = filepath.Join("../../../functions", function)
		out, err := list.Output()
		if err != nil {
			t.Fatalf("%s: %v", function, err)
		}
		if strings.Contains(string(out), "/aws-sdk-go-v2/service/s3\n") {
			t.Errorf("%s links the S3 client", function)
		}
	}
}

// TestOnlyThePublisherLinksTheClientOfEventBridge looks at the packages that the linker gets.
func TestOnlyThePublisherLinksTheClientOfEventBridge(t *testing.T) {
	t.Parallel()
	list := exec.CommandContext(t.Context(), "go", "list", "-tags", "lambda.norpc", "-f", `{{range .Deps}}{{if eq . "github.com/aws/aws-sdk-go-v2/service/eventbridge"}}{{$.ImportPath}} {{end}}{{end}}`, "./...")
	list.Dir = "../../../functions"
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	if linking := strings.Fields(string(out)); !slices.Equal(linking, []string{"github.com/opsplane/opsplane/functions/publisher"}) {
		t.Errorf("the client of EventBridge is linked by %q", linking)
	}
}

// withoutSealed are functions that serve requests and open no sealed secret. They read
// sessions, whose package must not link the store of host grants.
var withoutSealed = []string{"authorizer", "identity", "tokens"}

// TestFunctionsThatOpenNoSealedSecretDoNotLinkThem looks at the packages that the linker gets.
func TestFunctionsThatOpenNoSealedSecretDoNotLinkThem(t *testing.T) {
	t.Parallel()
	for _, function := range withoutSealed {
		list := exec.CommandContext(t.Context(), "go", "list", "-deps", "-tags", "lambda.norpc", ".")
		list.Dir = filepath.Join("../../../functions", function)
		out, err := list.Output()
		if err != nil {
			t.Fatalf("%s: %v", function, err)
		}
		if strings.Contains(string(out), "/shared/credential/sealed\n") {
			t.Errorf("%s links package sealed", function)
		}
	}
}
