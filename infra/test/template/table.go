package template

import (
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Table is a DynamoDB table that the template declares: its keys, indexes and stream. It leaves
// out encryption, backups and deletion policies, because only AWS uses them.
type Table struct {
	LogicalID    string
	Name         string
	TTLAttribute string // empty: items of the table never expire
	create       tableProperties
}

type tableProperties struct {
	AttributeDefinitions []struct {
		AttributeName string `yaml:"AttributeName"`
		AttributeType string `yaml:"AttributeType"`
	} `yaml:"AttributeDefinitions"`
	KeySchema               []keyElement      `yaml:"KeySchema"`
	LocalSecondaryIndexes   []indexProperties `yaml:"LocalSecondaryIndexes"`
	GlobalSecondaryIndexes  []indexProperties `yaml:"GlobalSecondaryIndexes"`
	BillingMode             string            `yaml:"BillingMode"`
	TimeToLiveSpecification struct {
		AttributeName string `yaml:"AttributeName"`
		Enabled       bool   `yaml:"Enabled"`
	} `yaml:"TimeToLiveSpecification"`
	StreamSpecification struct {
		StreamViewType string `yaml:"StreamViewType"`
	} `yaml:"StreamSpecification"`
}

type keyElement struct {
	AttributeName string `yaml:"AttributeName"`
	KeyType       string `yaml:"KeyType"`
}

type indexProperties struct {
	IndexName  string       `yaml:"IndexName"`
	KeySchema  []keyElement `yaml:"KeySchema"`
	Projection struct {
		ProjectionType   string   `yaml:"ProjectionType"`
		NonKeyAttributes []string `yaml:"NonKeyAttributes"`
	} `yaml:"Projection"`
}

func parseTable(id, name string, properties any) (Table, error) {
	var p tableProperties
	if err := decode(properties, &p); err != nil {
		return Table{}, err
	}
	if len(p.KeySchema) == 0 {
		return Table{}, fmt.Errorf("the table has no KeySchema")
	}
	if p.BillingMode != string(types.BillingModePayPerRequest) {
		return Table{}, fmt.Errorf("BillingMode is %q, want PAY_PER_REQUEST", p.BillingMode)
	}
	t := Table{LogicalID: id, Name: name, create: p}
	if p.TimeToLiveSpecification.Enabled {
		t.TTLAttribute = p.TimeToLiveSpecification.AttributeName
	}
	return t, nil
}

// CreateInput returns the request that makes the table. Each call returns a new request.
func (t Table) CreateInput() *dynamodb.CreateTableInput {
	p := t.create
	in := &dynamodb.CreateTableInput{
		TableName:   aws.String(t.Name),
		BillingMode: types.BillingModePayPerRequest,
		KeySchema:   keySchema(p.KeySchema),
	}
	for _, a := range p.AttributeDefinitions {
		in.AttributeDefinitions = append(in.AttributeDefinitions, types.AttributeDefinition{
			AttributeName: aws.String(a.AttributeName), AttributeType: types.ScalarAttributeType(a.AttributeType),
		})
	}
	for _, i := range p.LocalSecondaryIndexes {
		in.LocalSecondaryIndexes = append(in.LocalSecondaryIndexes, types.LocalSecondaryIndex{
			IndexName: aws.String(i.IndexName), KeySchema: keySchema(i.KeySchema), Projection: i.projection(),
		})
	}
	for _, i := range p.GlobalSecondaryIndexes {
		in.GlobalSecondaryIndexes = append(in.GlobalSecondaryIndexes, types.GlobalSecondaryIndex{
			IndexName: aws.String(i.IndexName), KeySchema: keySchema(i.KeySchema), Projection: i.projection(),
		})
	}
	if view := p.StreamSpecification.StreamViewType; view != "" {
		in.StreamSpecification = &types.StreamSpecification{StreamEnabled: aws.Bool(true), StreamViewType: types.StreamViewType(view)}
	}
	return in
}

// LocalInput returns the request that makes a table on a local server. It differs from
// CreateInput in one point: it leaves out a stream that no function reads. An in-memory server
// goes through all changes of all streams at every write. So an unused stream would make the
// server slower with each change.
func (t *Template) LocalInput(table Table) *dynamodb.CreateTableInput {
	in := table.CreateInput()
	for _, f := range t.Functions {
		for _, stream := range f.Streams {
			if stream.Table == table.LogicalID {
				return in
			}
		}
	}
	in.StreamSpecification = nil
	return in
}

// TTLInput returns the request that enables expiry, or nil for a table whose items never
// expire.
func (t Table) TTLInput() *dynamodb.UpdateTimeToLiveInput {
	if t.TTLAttribute == "" {
		return nil
	}
	return &dynamodb.UpdateTimeToLiveInput{
		TableName: aws.String(t.Name),
		TimeToLiveSpecification: &types.TimeToLiveSpecification{
			AttributeName: aws.String(t.TTLAttribute), Enabled: aws.Bool(true),
		},
	}
}

func keySchema(elements []keyElement) []types.KeySchemaElement {
	out := make([]types.KeySchemaElement, len(elements))
	for i, e := range elements {
		out[i] = types.KeySchemaElement{AttributeName: aws.String(e.AttributeName), KeyType: types.KeyType(e.KeyType)}
	}
	return out
}

func (i indexProperties) projection() *types.Projection {
	return &types.Projection{ProjectionType: types.ProjectionType(i.Projection.ProjectionType), NonKeyAttributes: i.Projection.NonKeyAttributes}
}
