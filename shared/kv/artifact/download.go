package artifact

import (
	"mime"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// download is the request for a file. It decides every header of the answer that
// whoever sent the file could decide with a header of the PUT ("GetObject", Amazon
// S3 API reference, lists what a request can override). Without that a sender
// could have clients unpack a file into other bytes than its SHA-256 stands for.
// Headers that begin with x-amz- need no care: S3 refuses those that the address
// of a PUT did not sign.
func download(bucket, object string, file File) *s3.GetObjectInput {
	return &s3.GetObjectInput{
		Bucket: &bucket, Key: &object,
		ResponseContentType:        &file.ContentType,
		ResponseContentDisposition: aws.String(disposition(file.Name)),
		// "No transformation": an empty one would be no override.
		ResponseContentEncoding: aws.String("identity"),
		// Undetermined (RFC 5646): nobody has told.
		ResponseContentLanguage: aws.String("und"),
		ResponseCacheControl:    aws.String("private, no-store"),
		ResponseExpires:         aws.Time(time.Unix(0, 0)),
	}
}

// disposition makes a browser save the file, under its name, and never show it
// as a page. A name that is more than ASCII stands there twice: as it is, and for
// clients that do not read that form, such as "curl -OJ", in ASCII (RFC 6266,
// section 4.3 and appendix D).
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

// ascii is a name with an underscore for each sign that is not ASCII or that
// clients read in different ways where it is quoted: quotes, and the percent sign
// (RFC 6266, appendix D).
func ascii(name string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' || c == '"' || c == '\\' || c == '%' {
			return '_'
		}
		return c
	}, name)
}
