package iam

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// Requests returns the permissions that an operation with the SDK's input needs: all of them
// must be allowed. It returns an error for an operation that the package does not know.
func (a Account) Requests(in any) ([]Request, error) {
	if needed, known, err := a.dynamoDB(in); known {
		return needed, err
	}
	if needed, known := eventBridge(in); known {
		return needed, nil
	}
	if name := unknownParameter(in); name != "" {
		return nil, fmt.Errorf("the permissions of the parameter %s of %T are not known", name, in)
	}
	needed, err := a.s3(in)
	if err == nil && len(needed) == 0 {
		err = fmt.Errorf("the permissions of %T are not known", in)
	}
	return needed, err
}

// s3 returns the permissions that a request to S3 needs, or none for an operation that is not
// known.
func (a Account) s3(in any) (needed []Request, err error) {
	add := func(action string, bucket, key *string) {
		r, e := a.object(action, bucket, key)
		needed, err = append(needed, r), errors.Join(err, e)
	}
	switch in := in.(type) {
	case *s3.GetObjectInput:
		add(versioned("s3:GetObject", in.VersionId), in.Bucket, in.Key)
	case *s3.HeadObjectInput:
		add(versioned("s3:GetObject", in.VersionId), in.Bucket, in.Key)
	case *s3.PutObjectInput:
		add("s3:PutObject", in.Bucket, in.Key)
	case *s3.CreateMultipartUploadInput:
		add("s3:PutObject", in.Bucket, in.Key)
	case *s3.UploadPartInput:
		add("s3:PutObject", in.Bucket, in.Key)
	case *s3.CompleteMultipartUploadInput:
		add("s3:PutObject", in.Bucket, in.Key)
	case *s3.AbortMultipartUploadInput:
		add("s3:AbortMultipartUpload", in.Bucket, in.Key)
	case *s3.ListPartsInput:
		add("s3:ListMultipartUploadParts", in.Bucket, in.Key)
	case *s3.DeleteObjectInput:
		add(versioned("s3:DeleteObject", in.VersionId), in.Bucket, in.Key)
	case *s3.DeleteObjectsInput:
		if in.Delete != nil {
			for _, o := range in.Delete.Objects {
				add(versioned("s3:DeleteObject", o.VersionId), in.Bucket, o.Key)
			}
		}
	case *s3.ListObjectsV2Input:
		add("s3:ListBucket", in.Bucket, nil)
		if err != nil {
			break
		}
		for key, value := range map[string]*string{"s3:prefix": in.Prefix, "s3:delimiter": in.Delimiter} {
			if value != nil {
				needed[0].Context[key] = []string{*value}
			}
		}
		if in.MaxKeys != nil {
			needed[0].Context["s3:max-keys"] = []string{strconv.Itoa(int(*in.MaxKeys))}
		}
	case *s3.HeadBucketInput:
		add("s3:ListBucket", in.Bucket, nil)
	}
	return needed, err
}

// unknownParameter returns the name of a parameter of a write to S3 that needs more permissions
// than the write itself, or "" if there is none. Access control lists, tags, locks and keys of
// KMS have permissions of their own. A write that depends on the present object needs the
// permission to read it.
func unknownParameter(in any) string {
	switch in := in.(type) {
	case *s3.PutObjectInput, *s3.CreateMultipartUploadInput, *s3.CompleteMultipartUploadInput, *s3.DeleteObjectInput:
	case *s3.DeleteObjectsInput:
		if in.Delete != nil {
			for _, o := range in.Delete.Objects {
				if name := firstSet(o, conditions...); name != "" {
					return name
				}
			}
		}
	default:
		return ""
	}
	if encryption := reflect.Indirect(reflect.ValueOf(in)).FieldByName("ServerSideEncryption"); encryption.IsValid() &&
		strings.HasPrefix(encryption.String(), string(types.ServerSideEncryptionAwsKms)) {
		return "ServerSideEncryption"
	}
	return firstSet(in, slices.Concat(conditions, []string{
		"ACL", "GrantFullControl", "GrantRead", "GrantReadACP", "GrantWriteACP", "Tagging",
		"ObjectLockMode", "ObjectLockRetainUntilDate", "ObjectLockLegalHoldStatus", "BypassGovernanceRetention",
		"SSEKMSKeyId", "SSEKMSEncryptionContext",
	})...)
}

// conditions are the parameters of a write that compare the present object.
var conditions = []string{"IfMatch", "IfMatchLastModifiedTime", "IfMatchSize", "ETag", "LastModifiedTime", "Size"}

// object returns a permission for an object, or for the bucket if key is nil.
func (a Account) object(action string, bucket, key *string) (Request, error) {
	arn, ok := a.Buckets[aws.ToString(bucket)]
	if !ok {
		return Request{}, fmt.Errorf("%s: the template has no bucket %q", action, aws.ToString(bucket))
	}
	if key != nil {
		arn += "/" + *key
	}
	return Request{Action: action, Resource: arn, Context: map[string][]string{secureTransport: {"true"}}}, nil
}

// versioned returns the action for one version of an object, which is another one than for the
// object.
func versioned(action string, version *string) string {
	if version != nil {
		return action + "Version"
	}
	return action
}
