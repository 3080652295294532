package iam

import (
	"strings"
	"testing"
)

const table = "arn:aws:dynamodb:us-east-1:000000000000:table/T"

// statement returns a valid statement that allows GetItem on T under conditions.
func statement(conditions map[string]map[string]List) Statement {
	return Statement{Sid: "S", Effect: "Allow", Action: List{"dynamodb:GetItem"}, Resource: List{table}, Condition: conditions}
}

func TestPolicyAllowsWhatAStatementAllowsAndNoneDenies(t *testing.T) {
	t.Parallel()
	get := Request{Action: "dynamodb:GetItem", Resource: table}
	allow := statement(nil)
	everywhere, wildcard, prefix, index, other, deny, unused := allow, allow, allow, allow, allow, allow, allow
	everywhere.Resource = List{"*"}
	wildcard.Action = List{"DynamoDB:get*"}
	prefix.Resource = List{"arn:aws:dynamodb:*:*:table/?"}
	index.Resource = List{table + "/index/*"}
	other.Action = List{"dynamodb:BatchGetItem", "dynamodb:PutItem"}
	deny.Sid, deny.Effect = "D", "Deny"
	unused = deny
	unused.Condition = map[string]map[string]List{"Bool": {"aws:SecureTransport": {"false"}}}
	for name, c := range map[string]struct {
		policy Policy
		want   string // part of the error; empty if the request is allowed
	}{
		"no statement":                   {nil, "dynamodb:GetItem on " + table + ": no statement allows"},
		"action and resource":            {Policy{allow}, ""},
		"any resource":                   {Policy{everywhere}, ""},
		"pattern of an action":           {Policy{wildcard}, ""},
		"pattern of a resource":          {Policy{prefix}, ""},
		"an index is not its table":      {Policy{index}, "no statement allows"},
		"other actions":                  {Policy{other}, "no statement allows"},
		"one of two statements":          {Policy{other, allow}, ""},
		"denied by another":              {Policy{allow, deny}, "statement D denies"},
		"a denial allows nothing":        {Policy{unused}, "no statement allows"},
		"denial that does not apply":     {Policy{allow, unused}, ""},
		"condition of the only one":      {Policy{statement(map[string]map[string]List{"StringEquals": {"dynamodb:Select": {"COUNT"}}})}, "statement S: condition StringEquals dynamodb:Select"},
		"condition of one of two":        {Policy{statement(map[string]map[string]List{"StringEquals": {"dynamodb:Select": {"COUNT"}}}), allow}, ""},
		"both conditions must hold":      {Policy{statement(map[string]map[string]List{"Null": {"a": {"true"}, "b": {"false"}}})}, "condition Null b"},
		"condition that has an error":    {Policy{statement(map[string]map[string]List{"NumericEquals": {"n": {"x"}}})}, "parsing"},
		"several values, single operand": {Policy{statement(map[string]map[string]List{"StringLike": {"two": {"*"}}})}, "is for one value"},
	} {
		r := get
		r.Context = map[string][]string{"aws:SecureTransport": {"true"}, "n": {"1"}, "two": {"a", "b"}}
		err := c.policy.Check(r)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

// TestOperatorsHoldAsDocumented compares operators with the tables of "IAM JSON policy
// elements: Condition operators" and "Set operators for multivalued context keys".
func TestOperatorsHoldAsDocumented(t *testing.T) {
	t.Parallel()
	missing := []string(nil)
	for _, c := range []struct {
		operator  string
		want, got []string
		holds     bool
	}{
		{"StringEquals", []string{"a", "b"}, []string{"b"}, true},
		{"StringEquals", []string{"a*"}, []string{"ab"}, false},
		{"StringEquals", []string{"a"}, []string{"A"}, false},
		{"StringEquals", []string{"a"}, missing, false},
		{"StringEqualsIfExists", []string{"a"}, missing, true},
		{"StringEqualsIfExists", []string{"a"}, []string{"b"}, false},
		{"StringNotEquals", []string{"a", "b"}, []string{"b"}, false},
		{"StringNotEquals", []string{"a", "b"}, []string{"c"}, true},
		{"StringNotEquals", []string{"a"}, missing, true},
		{"StringEqualsIgnoreCase", []string{"NONE"}, []string{"none"}, true},
		{"StringNotEqualsIgnoreCase", []string{"NONE"}, []string{"none"}, false},
		{"StringLike", []string{"USER#*"}, []string{"USER#1"}, true},
		{"StringLike", []string{"USER#*"}, []string{"XUSER#1"}, false},
		{"StringLike", []string{"USER#*"}, []string{"USER"}, false},
		{"StringLike", []string{"a?c"}, []string{"abc"}, true},
		{"StringLike", []string{"a?c"}, []string{"ac"}, false},
		{"StringLike", []string{"github:*:*"}, []string{"github:1"}, false},
		{"StringLike", []string{"github:*:*"}, []string{"github:1:k:x"}, true},
		{"StringNotLike", []string{"USER#*"}, []string{"USER#1"}, false},
		{"ForAllValues:StringLike", []string{"USER#*", "GROUP#*"}, []string{"USER#1", "GROUP#1"}, true},
		{"ForAllValues:StringLike", []string{"USER#*"}, []string{"USER#1", "GROUP#1"}, false},
		{"ForAllValues:StringLike", []string{"USER#*"}, missing, true},
		{"ForAllValues:StringLike", []string{"a", "b"}, []string{everyAttribute}, false},
		{"ForAllValues:StringLike", []string{"*"}, []string{everyAttribute}, true},
		{"ForAllValues:StringEquals", []string{"a"}, []string{"a", "a"}, true},
		{"ForAllValues:StringNotEquals", []string{"a"}, []string{"b", "c"}, true},
		{"ForAllValues:StringNotEquals", []string{"a"}, []string{"b", "a"}, false},
		{"ForAnyValue:StringEquals", []string{"a"}, []string{"b", "a"}, true},
		{"ForAnyValue:StringEquals", []string{"a"}, []string{"b", "c"}, false},
		{"ForAnyValue:StringEquals", []string{"a"}, missing, false},
		{"ForAnyValue:StringNotEquals", []string{"a"}, []string{"b", "a"}, true},
		{"ForAnyValue:StringNotEquals", []string{"a"}, []string{"a"}, false},
		{"ArnLike", []string{"arn:aws:s3:::b/*"}, []string{"arn:aws:s3:::b/k"}, true},
		{"ArnLike", []string{"arn:aws:*:b"}, []string{"arn:aws:s3:::b"}, false},
		{"ArnNotEquals", []string{"arn:aws:s3:::b"}, []string{"arn:aws:s3:::c"}, true},
		{"Bool", []string{"true"}, []string{"True"}, true},
		{"Bool", []string{"false"}, []string{"true"}, false},
		{"Bool", []string{"false"}, missing, false},
		{"Null", []string{"true"}, missing, true},
		{"Null", []string{"true"}, []string{"x"}, false},
		{"Null", []string{"false"}, []string{"x"}, true},
		{"Null", []string{"false"}, missing, false},
		{"NumericLessThan", []string{"1.2"}, []string{"1.1"}, true},
		{"NumericLessThan", []string{"1.2"}, []string{"1.2"}, false},
		{"NumericLessThanEquals", []string{"1.2"}, []string{"1.2"}, true},
		{"NumericGreaterThan", []string{"9"}, []string{"10"}, true},
		{"NumericGreaterThanEquals", []string{"9"}, []string{"8"}, false},
		{"NumericEquals", []string{"10"}, []string{"10.0"}, true},
		{"NumericNotEquals", []string{"10"}, []string{"10.0"}, false},
	} {
		o, err := parseOperator(c.operator)
		if err != nil {
			t.Fatal(err)
		}
		if holds, err := o.holds(c.want, c.got, c.got != nil); err != nil || holds != c.holds {
			t.Errorf("%s of %q in the policy and %q in the request: got %t, %v; want %t", c.operator, c.want, c.got, holds, err, c.holds)
		}
	}
}

func TestKeysOfConditionsAreNotCaseSensitive(t *testing.T) {
	t.Parallel()
	if err := statement(map[string]map[string]List{"Bool": {"AWS:securetransport": {"true"}}}).Validate(); err != nil {
		t.Error(err)
	}
	p := Policy{statement(map[string]map[string]List{"StringEquals": {"DynamoDB:select": {"COUNT"}}})}
	if err := p.Check(Request{Action: "dynamodb:GetItem", Resource: table, Context: map[string][]string{"dynamodb:Select": {"COUNT"}}}); err != nil {
		t.Error(err)
	}
}

func TestStatementThatIsNotUnderstoodIsNotValid(t *testing.T) {
	t.Parallel()
	if err := statement(map[string]map[string]List{"ForAllValues:StringLikeIfExists": {"dynamodb:LeadingKeys": {"a"}}}).Validate(); err != nil {
		t.Errorf("a valid one: %v", err)
	}
	for name, c := range map[string]struct {
		edit func(*Statement)
		want string
	}{
		"no effect":      {func(s *Statement) { s.Effect = "" }, "effect"},
		"another effect": {func(s *Statement) { s.Effect = "allow" }, "effect"},
		"no action":      {func(s *Statement) { s.Action = nil }, "no action"},
		"no resource":    {func(s *Statement) { s.Resource = nil }, "no resource"},
		"an element":     {func(s *Statement) { s.Rest = map[string]any{"NotAction": "dynamodb:GetItem"} }, "NotAction"},
		"an operator": {func(s *Statement) {
			s.Condition = map[string]map[string]List{"IpAddress": {"aws:SourceIp": {"192.0.2.0/24"}}}
		}, "IpAddress"},
		"a qualifier": {func(s *Statement) {
			s.Condition = map[string]map[string]List{"ForEach:StringLike": {"dynamodb:Select": {"v"}}}
		}, "ForEach"},
		"null of several": {func(s *Statement) {
			s.Condition = map[string]map[string]List{"ForAllValues:Null": {"dynamodb:Select": {"true"}}}
		}, "Null"},
		"no value": {func(s *Statement) { s.Condition = map[string]map[string]List{"StringLike": {"dynamodb:Select": nil}} }, "no value"},
		"a variable's value": {func(s *Statement) {
			s.Condition = map[string]map[string]List{"StringLike": {"dynamodb:Select": {"${aws:userid}"}}}
		}, "variable"},
		"an action with a variable":  {func(s *Statement) { s.Action = List{"dynamodb:${aws:userid}"} }, "variable"},
		"a resource with a variable": {func(s *Statement) { s.Resource = List{"arn:aws:s3:::b/${aws:userid}/*"} }, "variable"},
		"a key that no request has": {func(s *Statement) {
			s.Condition = map[string]map[string]List{"StringNotEquals": {"aws:SourceVpc": {"vpc-1"}}}
		}, "aws:SourceVpc"},
		"a key of a service that is not set": {func(s *Statement) { s.Condition = map[string]map[string]List{"Null": {"s3:TlsVersion": {"true"}}} }, "s3:TlsVersion"},
		"a negated wrong one":                {func(s *Statement) { s.Condition = map[string]map[string]List{"BoolNot": {"dynamodb:Select": {"true"}}} }, "BoolNot"},
	} {
		s := statement(nil)
		c.edit(&s)
		if err := s.Validate(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want an error with %q", name, err, c.want)
		}
	}
}
