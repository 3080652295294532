package iam

import (
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
)

var account = Account{
	Tables: map[string]Table{
		"t": {ARN: table, Key: "pk", IndexKeys: map[string]string{"i": "ik"}},
		"u": {ARN: "arn:u", Key: "n"},
	},
	Buckets: map[string]string{"b": "arn:aws:s3:::B"},
}

func str(text string) types.AttributeValue { return &types.AttributeValueMemberS{Value: text} }

func key(pk string) item { return item{"pk": str(pk), "sk": str("s")} }

var (
	t1    = aws.String("t")
	names = map[string]string{"#a": "size", "#b": "b.c"}
)

// shown returns permissions as text: the action, the resource, and the context in order.
func shown(list []Request) string {
	var lines []string
	for _, r := range list {
		line := r.Action + " " + r.Resource
		for _, k := range []string{"LeadingKeys", "Attributes", "Select", "ReturnValues", "ReturnConsumedCapacity", "EnclosingOperation"} {
			if values, ok := r.Context["dynamodb:"+k]; ok {
				line += " " + k + "=" + strings.Join(values, ",")
			}
		}
		for _, k := range []string{"prefix", "delimiter", "max-keys"} {
			if values, ok := r.Context["s3:"+k]; ok {
				line += " " + k + "=" + strings.Join(values, ",")
			}
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

func TestRequestsNeedThePermissionsThatAreDocumented(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		in   any
		want string
	}{
		"a whole item": {
			&dynamodb.GetItemInput{TableName: t1, Key: key("p")},
			"dynamodb:GetItem " + table + " LeadingKeys=p Attributes=*,pk,sk Select=ALL_ATTRIBUTES",
		},
		"attributes of an item": {
			&dynamodb.GetItemInput{
				TableName: t1, Key: key("p"), ProjectionExpression: aws.String("a, #a.x[3].y, #b"), ExpressionAttributeNames: names,
				ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal,
			},
			"dynamodb:GetItem " + table + " LeadingKeys=p Attributes=a,b.c,pk,size,sk Select=SPECIFIC_ATTRIBUTES ReturnConsumedCapacity=TOTAL",
		},
		"a batch of reads": {
			&dynamodb.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{
				"t": {Keys: []map[string]types.AttributeValue{key("p"), key("q")}, ProjectionExpression: aws.String("pk")},
			}},
			"dynamodb:BatchGetItem " + table + " LeadingKeys=p,q Attributes=pk,sk Select=SPECIFIC_ATTRIBUTES",
		},
		"a query": {
			&dynamodb.QueryInput{
				TableName: t1, KeyConditionExpression: aws.String("begins_with(sk, :s) AND pk = :p"), FilterExpression: aws.String("NOT attribute_exists(#a)"),
				ExpressionAttributeNames: names, ExpressionAttributeValues: item{":p": str("p"), ":s": str("s")},
			},
			"dynamodb:Query " + table + " LeadingKeys=p Attributes=*,pk,size,sk Select=ALL_ATTRIBUTES",
		},
		"a query that counts": {
			&dynamodb.QueryInput{
				TableName: t1, KeyConditionExpression: aws.String("#p=:p"), Select: types.SelectCount,
				ExpressionAttributeNames: map[string]string{"#p": "pk"}, ExpressionAttributeValues: item{":p": str("p")},
			},
			"dynamodb:Query " + table + " LeadingKeys=p Attributes=pk Select=COUNT",
		},
		"a query of an index": {
			&dynamodb.QueryInput{
				TableName: t1, IndexName: aws.String("i"), KeyConditionExpression: aws.String("ik = :p"), ExpressionAttributeValues: item{":p": str("p")},
			},
			"dynamodb:Query " + table + "/index/i LeadingKeys=p Attributes=*,ik Select=ALL_PROJECTED_ATTRIBUTES",
		},
		"a scan": {
			&dynamodb.ScanInput{TableName: t1, ProjectionExpression: aws.String("a")},
			"dynamodb:Scan " + table + " Attributes=a Select=SPECIFIC_ATTRIBUTES",
		},
		"a new item": {
			&dynamodb.PutItemInput{
				TableName: t1, Item: item{"pk": str("p"), "a": str("")}, ConditionExpression: aws.String("attribute_not_exists(b) OR c IN (:x, :y)"),
			},
			"dynamodb:PutItem " + table + " LeadingKeys=p Attributes=a,b,c,pk",
		},
		"a new item, with the old one back": {
			&dynamodb.PutItemInput{TableName: t1, Item: key("p"), ReturnValues: types.ReturnValueAllOld},
			"dynamodb:PutItem " + table + " LeadingKeys=p Attributes=*,pk,sk ReturnValues=ALL_OLD",
		},
		"a change": {
			&dynamodb.UpdateItemInput{
				TableName: t1, Key: key("p"), ExpressionAttributeNames: names,
				UpdateExpression:    aws.String("SET #a = if_not_exists(c, :c) + :d, e.f = :e REMOVE g ADD h :h DELETE k :k"),
				ConditionExpression: aws.String("#b BETWEEN :x AND :y and size (m) > :z"), ReturnValues: types.ReturnValueUpdatedNew,
			},
			"dynamodb:UpdateItem " + table + " LeadingKeys=p Attributes=b.c,c,e,g,h,k,m,pk,size,sk ReturnValues=UPDATED_NEW",
		},
		"a change, with the item back": {
			&dynamodb.UpdateItemInput{TableName: t1, Key: key("p"), UpdateExpression: aws.String("SET a=:a"), ReturnValues: types.ReturnValueAllNew},
			"dynamodb:UpdateItem " + table + " LeadingKeys=p Attributes=*,a,pk,sk ReturnValues=ALL_NEW",
		},
		"a change, with the item back on failure": {
			&dynamodb.UpdateItemInput{
				TableName: t1, Key: key("p"), UpdateExpression: aws.String("SET a=:a"),
				ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
			},
			"dynamodb:UpdateItem " + table + " LeadingKeys=p Attributes=*,a,pk,sk",
		},
		"a removal": {
			&dynamodb.DeleteItemInput{TableName: t1, Key: key("p"), ConditionExpression: aws.String("a=:a"), ReturnValues: types.ReturnValueNone},
			"dynamodb:DeleteItem " + table + " LeadingKeys=p Attributes=a,pk,sk ReturnValues=NONE",
		},
		"a batch of writes": {
			&dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{"t": {
				{PutRequest: &types.PutRequest{Item: item{"pk": str("p"), "a": str("")}}}, {DeleteRequest: &types.DeleteRequest{Key: key("q")}},
			}}},
			"dynamodb:BatchWriteItem " + table + " LeadingKeys=p,q Attributes=a,pk,sk",
		},
		"a transaction": {
			&dynamodb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{
				{Put: &types.Put{TableName: t1, Item: item{"pk": str("p"), "a": str("")}}},
				{Update: &types.Update{TableName: t1, Key: key("q"), UpdateExpression: aws.String("REMOVE b")}},
				{Delete: &types.Delete{TableName: t1, Key: key("r")}},
				{ConditionCheck: &types.ConditionCheck{TableName: aws.String("u"), Key: item{"n": &types.AttributeValueMemberN{Value: "1"}}, ConditionExpression: aws.String("attribute_exists(c)")}},
			}},
			"dynamodb:PutItem " + table + " LeadingKeys=p Attributes=a,pk EnclosingOperation=TransactWriteItems\n" +
				"dynamodb:UpdateItem " + table + " LeadingKeys=q Attributes=b,pk,sk EnclosingOperation=TransactWriteItems\n" +
				"dynamodb:DeleteItem " + table + " LeadingKeys=r Attributes=pk,sk EnclosingOperation=TransactWriteItems\n" +
				"dynamodb:ConditionCheckItem arn:u LeadingKeys=1 Attributes=c,n EnclosingOperation=TransactWriteItems",
		},
		"a transaction of reads": {
			&dynamodb.TransactGetItemsInput{TransactItems: []types.TransactGetItem{{Get: &types.Get{TableName: t1, Key: key("p")}}}},
			"dynamodb:GetItem " + table + " LeadingKeys=p Attributes=*,pk,sk Select=ALL_ATTRIBUTES EnclosingOperation=TransactGetItems",
		},
		"an object":        {&s3.GetObjectInput{Bucket: aws.String("b"), Key: aws.String("k/x")}, "s3:GetObject arn:aws:s3:::B/k/x"},
		"a version":        {&s3.GetObjectInput{Bucket: aws.String("b"), Key: aws.String("k"), VersionId: aws.String("v")}, "s3:GetObjectVersion arn:aws:s3:::B/k"},
		"an object's head": {&s3.HeadObjectInput{Bucket: aws.String("b"), Key: aws.String("k")}, "s3:GetObject arn:aws:s3:::B/k"},
		"a new object":     {&s3.PutObjectInput{Bucket: aws.String("b"), Key: aws.String("k")}, "s3:PutObject arn:aws:s3:::B/k"},
		"an object that S3 encrypts": {
			&s3.PutObjectInput{Bucket: aws.String("b"), Key: aws.String("k"), ServerSideEncryption: s3types.ServerSideEncryptionAes256},
			"s3:PutObject arn:aws:s3:::B/k",
		},
		"an unchanged object":  {&s3.GetObjectInput{Bucket: aws.String("b"), Key: aws.String("k"), IfMatch: aws.String("e")}, "s3:GetObject arn:aws:s3:::B/k"},
		"a new upload":         {&s3.CreateMultipartUploadInput{Bucket: aws.String("b"), Key: aws.String("k")}, "s3:PutObject arn:aws:s3:::B/k"},
		"a part of an upload":  {&s3.UploadPartInput{Bucket: aws.String("b"), Key: aws.String("k")}, "s3:PutObject arn:aws:s3:::B/k"},
		"the end of an upload": {&s3.CompleteMultipartUploadInput{Bucket: aws.String("b"), Key: aws.String("k")}, "s3:PutObject arn:aws:s3:::B/k"},
		"an upload given up":   {&s3.AbortMultipartUploadInput{Bucket: aws.String("b"), Key: aws.String("k")}, "s3:AbortMultipartUpload arn:aws:s3:::B/k"},
		"the parts":            {&s3.ListPartsInput{Bucket: aws.String("b"), Key: aws.String("k")}, "s3:ListMultipartUploadParts arn:aws:s3:::B/k"},
		"an object removed":    {&s3.DeleteObjectInput{Bucket: aws.String("b"), Key: aws.String("k")}, "s3:DeleteObject arn:aws:s3:::B/k"},
		"objects removed": {
			&s3.DeleteObjectsInput{Bucket: aws.String("b"), Delete: &s3types.Delete{Objects: []s3types.ObjectIdentifier{{Key: aws.String("k")}, {Key: aws.String("l")}}}},
			"s3:DeleteObject arn:aws:s3:::B/k\ns3:DeleteObject arn:aws:s3:::B/l",
		},
		"a list": {
			&s3.ListObjectsV2Input{Bucket: aws.String("b"), Prefix: aws.String("p/"), Delimiter: aws.String("/"), MaxKeys: aws.Int32(7)},
			"s3:ListBucket arn:aws:s3:::B prefix=p/ delimiter=/ max-keys=7",
		},
		"the bucket": {&s3.HeadBucketInput{Bucket: aws.String("b")}, "s3:ListBucket arn:aws:s3:::B"},
	} {
		got, err := account.Requests(c.in)
		if err != nil || shown(got) != c.want {
			t.Errorf("%s:\n got %s, %v\nwant %s", name, shown(got), err, c.want)
		}
		for _, r := range got {
			if secure := r.Context["aws:SecureTransport"]; !slices.Equal(secure, []string{"true"}) {
				t.Errorf("%s: %s has aws:SecureTransport %q", name, r, secure)
			}
			for key := range r.Context {
				if !isKnown(key) {
					t.Errorf("%s: %s sets %s, which policies may not use", name, r, key)
				}
			}
		}
	}
}

func TestRequestThatIsNotUnderstoodIsAnError(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		in   any
		want string
	}{
		"another operation":        {&dynamodb.ExecuteStatementInput{Statement: aws.String("SELECT")}, "ExecuteStatementInput are not known"},
		"an operation on tables":   {&dynamodb.DeleteTableInput{TableName: t1}, "DeleteTableInput are not known"},
		"another operation of S3":  {&s3.CopyObjectInput{Bucket: aws.String("b"), Key: aws.String("k")}, "CopyObjectInput are not known"},
		"no objects to remove":     {&s3.DeleteObjectsInput{Bucket: aws.String("b")}, "not known"},
		"an object with tags":      {&s3.PutObjectInput{Bucket: aws.String("b"), Key: aws.String("k"), Tagging: aws.String("a=b")}, "Tagging of *s3.PutObjectInput"},
		"an upload with tags":      {&s3.CreateMultipartUploadInput{Bucket: aws.String("b"), Key: aws.String("k"), Tagging: aws.String("a=b")}, "Tagging of *s3.CreateMultipartUploadInput"},
		"an object for all":        {&s3.PutObjectInput{Bucket: aws.String("b"), Key: aws.String("k"), ACL: s3types.ObjectCannedACLPublicRead}, "ACL of"},
		"an object instead of one": {&s3.PutObjectInput{Bucket: aws.String("b"), Key: aws.String("k"), IfMatch: aws.String("e")}, "IfMatch of"},
		"an object with a KMS key": {&s3.PutObjectInput{Bucket: aws.String("b"), Key: aws.String("k"), SSEKMSKeyId: aws.String("key")}, "SSEKMSKeyId of"},
		"an upload by KMS":         {&s3.CreateMultipartUploadInput{Bucket: aws.String("b"), Key: aws.String("k"), ServerSideEncryption: s3types.ServerSideEncryptionAwsKms}, "ServerSideEncryption of"},
		"an upload instead of one": {&s3.CompleteMultipartUploadInput{Bucket: aws.String("b"), Key: aws.String("k"), IfMatch: aws.String("e")}, "IfMatch of"},
		"a removal of one object":  {&s3.DeleteObjectInput{Bucket: aws.String("b"), Key: aws.String("k"), IfMatch: aws.String("e")}, "IfMatch of"},
		"a removal despite a lock": {&s3.DeleteObjectInput{Bucket: aws.String("b"), Key: aws.String("k"), BypassGovernanceRetention: aws.Bool(true)}, "BypassGovernanceRetention of"},
		"removals by their ETag": {&s3.DeleteObjectsInput{Bucket: aws.String("b"), Delete: &s3types.Delete{
			Objects: []s3types.ObjectIdentifier{{Key: aws.String("k"), ETag: aws.String("e")}},
		}}, "ETag of"},
		"another table":             {&dynamodb.GetItemInput{TableName: aws.String("x"), Key: key("p")}, `no table "x"`},
		"a list of another bucket":  {&s3.ListObjectsV2Input{Bucket: aws.String("x"), Prefix: aws.String("p/"), MaxKeys: aws.Int32(1)}, `no bucket "x"`},
		"another bucket":            {&s3.GetObjectInput{Bucket: aws.String("x"), Key: aws.String("k")}, `no bucket "x"`},
		"no partition key":          {&dynamodb.GetItemInput{TableName: t1, Key: item{"sk": str("s")}}, "partition key"},
		"no alias":                  {&dynamodb.GetItemInput{TableName: t1, Key: key("p"), ProjectionExpression: aws.String("#x")}, "no name for #x"},
		"legacy names":              {&dynamodb.GetItemInput{TableName: t1, Key: key("p"), AttributesToGet: []string{"a"}}, "AttributesToGet"},
		"legacy names of a batch":   {&dynamodb.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{"t": {AttributesToGet: []string{"a"}}}}, "AttributesToGet"},
		"legacy conditions":         {&dynamodb.PutItemInput{TableName: t1, Item: key("p"), Expected: map[string]types.ExpectedAttributeValue{"a": {}}}, "Expected"},
		"a partition by other ways": {&dynamodb.QueryInput{TableName: t1, KeyConditionExpression: aws.String("sk = :p"), ExpressionAttributeValues: item{":p": str("p")}}, `which "pk"`},
		"an empty item":             {&dynamodb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{{}}}, "empty item"},
	} {
		if got, err := account.Requests(c.in); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %s, %v; want an error with %q", name, shown(got), err, c.want)
		}
	}
}

// TestRoleIsRefusedWhatItsConditionsExclude judges requests by a statement like those of the
// template: some attributes of some items, and nothing returned.
func TestRoleIsRefusedWhatItsConditionsExclude(t *testing.T) {
	t.Parallel()
	s := Statement{
		Sid: "Keep", Effect: "Allow", Action: List{"dynamodb:UpdateItem", "dynamodb:GetItem", "dynamodb:Query"}, Resource: List{table},
		Condition: map[string]map[string]List{
			"ForAllValues:StringLike": {"dynamodb:LeadingKeys": {"SESSION#*"}, "dynamodb:Attributes": {"pk", "sk", "seen"}},
			"StringEqualsIfExists":    {"dynamodb:ReturnValues": {"NONE"}, "dynamodb:Select": {"SPECIFIC_ATTRIBUTES"}},
		},
	}
	update := func(edit func(*dynamodb.UpdateItemInput)) any {
		in := &dynamodb.UpdateItemInput{TableName: t1, Key: key("SESSION#1"), UpdateExpression: aws.String("SET seen = :now")}
		edit(in)
		return in
	}
	for name, c := range map[string]struct {
		in   any
		want string // part of the error; empty if the request is allowed
	}{
		"allowed":                  {update(func(*dynamodb.UpdateItemInput) {}), ""},
		"asks for nothing":         {update(func(in *dynamodb.UpdateItemInput) { in.ReturnValues = types.ReturnValueNone }), ""},
		"another key":              {update(func(in *dynamodb.UpdateItemInput) { in.Key = key("USER#1") }), "dynamodb:LeadingKeys"},
		"another attribute":        {update(func(in *dynamodb.UpdateItemInput) { in.UpdateExpression = aws.String("SET owner = :o") }), "dynamodb:Attributes"},
		"another in a condition":   {update(func(in *dynamodb.UpdateItemInput) { in.ConditionExpression = aws.String("attribute_exists(owner)") }), "dynamodb:Attributes"},
		"asks for what it changed": {update(func(in *dynamodb.UpdateItemInput) { in.ReturnValues = types.ReturnValueUpdatedNew }), "dynamodb:ReturnValues"},
		"asks for the item on failure": {update(func(in *dynamodb.UpdateItemInput) {
			in.ReturnValuesOnConditionCheckFailure = types.ReturnValuesOnConditionCheckFailureAllOld
		}), "dynamodb:Attributes"},
		"reads the attributes": {&dynamodb.GetItemInput{TableName: t1, Key: key("SESSION#1"), ProjectionExpression: aws.String("seen")}, ""},
		"reads the whole item": {&dynamodb.GetItemInput{TableName: t1, Key: key("SESSION#1")}, "condition"},
		"reads an index": {
			&dynamodb.QueryInput{TableName: t1, IndexName: aws.String("i"), KeyConditionExpression: aws.String("ik = :p"), ExpressionAttributeValues: item{":p": str("SESSION#1")}},
			"no statement allows",
		},
		"changes it in a transaction": {&dynamodb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{
			{Update: &types.Update{TableName: t1, Key: key("SESSION#1"), UpdateExpression: aws.String("SET seen = :now")}},
		}}, ""},
		"puts another in the transaction": {&dynamodb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{
			{Update: &types.Update{TableName: t1, Key: key("SESSION#1"), UpdateExpression: aws.String("SET seen = :now")}},
			{Put: &types.Put{TableName: t1, Item: key("SESSION#2")}},
		}}, "dynamodb:PutItem on " + table + ": no statement allows"},
	} {
		needed, err := account.Requests(c.in)
		if err != nil {
			t.Fatal(name, err)
		}
		var refused []string
		for _, r := range needed {
			if err := (Policy{s}).Check(r); err != nil {
				refused = append(refused, err.Error())
			}
		}
		if (len(refused) == 0) != (c.want == "") || c.want != "" && !strings.Contains(strings.Join(refused, "\n"), c.want) {
			t.Errorf("%s: refused with %q, want %q", name, refused, c.want)
		}
	}
}
