package template

import (
	"reflect"
	"strings"
	"testing"

	"github.com/opsplane/opsplane/infra/test/iam"
)

const roleHead = `
Parameters: {Bounded: {Type: String, Default: "yes"}}
Conditions: {IsBounded: !Equals [!Ref Bounded, "yes"]}
Resources:
  T: {Type: AWS::DynamoDB::Table}
  B: {Type: AWS::S3::Bucket}
  L: {Type: AWS::Logs::LogGroup}
  F: {Type: AWS::Serverless::Function, Properties: {Role: !GetAtt R.Arn}}
  R:
    Type: AWS::IAM::Role
    Properties:
`

func TestRoleHasTheStatementsOfItsPoliciesWithARNs(t *testing.T) {
	got, err := Roles([]byte(roleHead+`
      Policies:
        - PolicyName: a
          PolicyDocument:
            Statement:
              - {Sid: A, Effect: Allow, Action: dynamodb:GetItem, Resource: !GetAtt T.Arn, Condition: {Bool: {aws:SecureTransport: true}}}
              - !If [IsBounded, {Sid: B, Effect: Deny, Action: [s3:GetObject], Resource: [!Sub "${B.Arn}/a/*", !GetAtt L.Arn]}, !Ref AWS::NoValue]
        - PolicyName: b
          PolicyDocument: {Statement: [{Sid: C, Effect: Allow, Action: dynamodb:Query, Resource: !Sub "${T.Arn}/index/i"}]}
`), Options{Name: func(id string) string { return "my-" + id }})
	want := map[string]iam.Policy{"F": {
		{
			Sid: "A", Effect: "Allow", Action: iam.List{"dynamodb:GetItem"}, Resource: iam.List{"arn:aws:dynamodb:us-east-1:000000000000:table/my-T"},
			Condition: map[string]map[string]iam.List{"Bool": {"aws:SecureTransport": {"true"}}},
		},
		{Sid: "B", Effect: "Deny", Action: iam.List{"s3:GetObject"}, Resource: iam.List{"arn:aws:s3:::my-B/a/*", attributePrefix + "L.Arn"}},
		{Sid: "C", Effect: "Allow", Action: iam.List{"dynamodb:Query"}, Resource: iam.List{"arn:aws:dynamodb:us-east-1:000000000000:table/my-T/index/i"}},
	}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
}

func TestRoleThatCannotBeJudgedIsRefused(t *testing.T) {
	policy := func(statement string) string {
		return roleHead + "      Policies: [{PolicyName: a, PolicyDocument: {Statement: [" + statement + "]}}]\n"
	}
	attached := roleHead + "      RoleName: named\n  O: {Type: AWS::IAM::Role, Properties: {}}\n"
	if _, err := Roles([]byte(attached+"  P: {Type: AWS::IAM::Policy, Properties: {Roles: [!Ref O]}}\n"), Options{}); err != nil {
		t.Errorf("a policy of another role: %v", err)
	}
	for name, c := range map[string]struct{ text, want string }{
		"another operator":    {policy("{Sid: A, Effect: Allow, Action: dynamodb:GetItem, Resource: '*', Condition: {DateLessThan: {aws:CurrentTime: x}}}"), "R, A: the operator DateLessThan"},
		"another element":     {policy("{Sid: A, Effect: Allow, NotAction: dynamodb:GetItem, Action: a, Resource: '*'}"), "NotAction"},
		"managed policies":    {roleHead + "      ManagedPolicyArns: [arn:aws:iam::aws:policy/AmazonS3FullAccess]\n", "managed policies"},
		"a boundary":          {roleHead + "      PermissionsBoundary: arn:aws:iam::aws:policy/AmazonS3FullAccess\n", "managed policies"},
		"a policy beside it":  {attached + "  P: {Type: AWS::IAM::Policy, Properties: {Roles: [!Ref O, !Ref R]}}\n", "P adds a policy to the role R"},
		"a managed policy":    {attached + "  P: {Type: AWS::IAM::ManagedPolicy, Properties: {Roles: [named]}}\n", "P adds a policy to the role named"},
		"a policy of its own": {attached + "  P: {Type: AWS::IAM::RolePolicy, Properties: {RoleName: !Ref R}}\n", "P adds a policy to the role R"},
		"policies of its own": {"Resources:\n  F: {Type: AWS::Serverless::Function, Properties: {Policies: [{DynamoDBCrudPolicy: {TableName: t}}]}}\n", "policies of its own"},
		"no role":             {"Resources:\n  F: {Type: AWS::Serverless::Function, Properties: {}}\n", "no role"},
	} {
		if got, err := Roles([]byte(c.text), Options{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %+v, %v; want an error with %q", name, got, err, c.want)
		}
	}
}
