package artifact

import (
	"mime"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// download returns the request for a file. The request sets every response header
// that the sender of the file could set with a header of the PUT ("GetObject",
// Amazon S3 API reference, lists what a request can override). Otherwise a sender
// could make clients decode a file into other bytes than those of its SHA-256.
// Headers that begin with x-amz- do not matter: S3 refuses those that the URL of a
// PUT did not sign.
func download(bucket, object string, file File) *s3.GetObjectInput {
	return &s3.GetObjectInput{
		Bucket: &bucket, Key: &object,
		ResponseContentType:        &file.ContentType,
		ResponseContentDisposition: aws.String(disposition(file.Name)),
		// "identity" means no transformation. An empty value would override
		// nothing.
		ResponseContentEncoding: aws.String("identity"),
		// "und" means undetermined (RFC 5646): nobody has stated the language.
		ResponseContentLanguage: aws.String("und"),
		ResponseCacheControl:    aws.String("private, no-store"),
		ResponseExpires:         aws.Time(time.Unix(0, 0)),
	}
}

// disposition returns the header that makes a browser save the file under its name
// and never show it as a page. A name that is not only ASCII appears twice: as it
// is, and in ASCII for clients that do not read the first form, such as "curl -OJ"
// (RFC 6266, section 4.3 and appendix D).
func disposition(name string) string {
	switch simple := ascii(name); {
	case name == "":
		return "attachment"
	case simple == name:
		return mime.FormatMediaType("attachment", map[string]string{"filename": name})
	default:
		return `attachment; filename="` + simple + `"; filename*=UTF-8''` + strings.ReplaceAll(url.QueryEscape(name), "+", "%20")
	}
}

// ascii returns the name with an underscore for each character that is not
// printable ASCII, and for quotes, backslashes and percent signs. Clients read
// these in different ways inside a quoted name (RFC 6266, appendix D).
func ascii(name string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' || c == '"' || c == '\\' || c == '%' {
			return '_'
		}
		return c
	}, name)
}
