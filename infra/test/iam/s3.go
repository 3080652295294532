package iam

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// Requests returns the permissions that an operation with the SDK's input needs: all of them
// must be allowed. It returns an error for an operation that the package does not know.
func (a Account) Requests(in any) ([]Request, error) {
	if needed, known, err := a.dynamoDB(in); known {
		return needed, err
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
		if in.ACL != "" || in.Tagging != nil || in.ObjectLockMode != "" || in.ObjectLockLegalHoldStatus != "" || in.IfMatch != nil {
			err = errors.Join(err, errors.New("the permissions of these parameters of PutObject are not known"))
		}
	case *s3.CreateMultipartUploadInput:
		add("s3:PutObject", in.Bucket, in.Key)
		if in.ACL != "" || in.Tagging != nil || in.ObjectLockMode != "" || in.ObjectLockLegalHoldStatus != "" {
			err = errors.Join(err, errors.New("the permissions of these parameters of CreateMultipartUpload are not known"))
		}
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

// object returns a permission for an object, or for the bucket if key is nil. All requests
// come over TLS, as the clients of functions use no other.
func (a Account) object(action string, bucket, key *string) (Request, error) {
	arn, ok := a.Buckets[aws.ToString(bucket)]
	if !ok {
		return Request{}, fmt.Errorf("%s: the template has no bucket %q", action, aws.ToString(bucket))
	}
	if key != nil {
		arn += "/" + *key
	}
	return Request{Action: action, Resource: arn, Context: map[string][]string{"aws:SecureTransport": {"true"}}}, nil
}

// versioned returns the action for one version of an object, which is another one than for the
// object.
func versioned(action string, version *string) string {
	if version != nil {
		return action + "Version"
	}
	return action
}
