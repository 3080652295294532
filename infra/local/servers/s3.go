//go:build unix

package servers

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/gofiber/fiber/v3"
	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/embedgw"
	"github.com/versity/versitygw/s3api"
)

// The credentials that the local servers check and that every local client uses.
const (
	AccessKey = "local"
	SecretKey = "localsecret"
	Region    = "us-east-1"
)

// serveS3 serves the S3 API on addr from the folder dir until ctx ends. It changes the working
// directory, and a process can run only one instance. So it always runs in a child process.
func serveS3(ctx context.Context, dir, addr string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	root := filepath.Join(dir, "objects")
	if err := os.MkdirAll(root, 0o700); err != nil {
		return err
	}
	options := posix.PosixOpts{
		CopyObjectThreshold: 5 << 30, // zero would refuse every copy
		Concurrency:         256,
	}
	var store meta.MetadataStorer = meta.XattrMeta{}
	if (meta.XattrMeta{}).Test(root) != nil {
		// This file system has no extended attributes, so the attributes are kept in files.
		sidecar := filepath.Join(dir, "attributes")
		if err := os.MkdirAll(sidecar, 0o700); err != nil {
			return err
		}
		options.SideCarDir = sidecar
		if store, err = meta.NewSideCar(sidecar); err != nil {
			return fmt.Errorf("object attributes: %w", err)
		}
	}
	backend, err := posix.New(root, store, options)
	if err != nil {
		return fmt.Errorf("object folder: %w", err)
	}
	defer backend.Shutdown()
	return embedgw.RunVersityGW(ctx, backend, &embedgw.Config{
		RootUserAccess: AccessKey, RootUserSecret: SecretKey, Region: Region,
		Ports:          []string{addr},
		MaxConnections: 4096, MaxRequests: 2048, MultipartMaxParts: 10000,
		KeepAlive: true, Quiet: true,
		// Tests make many buckets, with names of many forms.
		DisableStrictBucketNames: true,
		S3Options:                []s3api.Option{s3api.WithMiddleware("/", takeBodiesAsTheyAre())},
	})
}

// takeBodiesAsTheyAre keeps the HTTP server from parsing a body of the type multipart/form-data
// before a handler asks for it. An object of that type need not be a form, and S3 accepts any
// bytes. The gateway has no option for this. It gives access to its server only in a request,
// so the first request sets it: the one that checks whether the server is ready.
func takeBodiesAsTheyAre() fiber.Handler {
	var once sync.Once
	return func(c fiber.Ctx) error {
		once.Do(func() { c.App().Server().DisablePreParseMultipartForm = true })
		return c.Next()
	}
}
