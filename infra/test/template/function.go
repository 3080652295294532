package template

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Function is a Lambda function of the template.
type Function struct {
	LogicalID   string
	Group       string            // its folder under functions/
	Environment map[string]string // with the names of tables and buckets filled in
	Timeout     time.Duration     // AWS stops an invocation after this time
	MemoryMB    int
	Routes      []Route
	Streams     []Stream
	Schedules   []Schedule
}

// Route is one method and path of the API.
type Route struct {
	Method     string // upper case, or ANY
	Path       string // as the template writes it: /a/{b}/{c+}
	Authorizer string // name of the API's authorizer, empty for none
}

// Stream is a table whose changes a function receives.
type Stream struct {
	Name                  string // the event's name in the template
	Table                 string // logical id
	BatchSize             int    // maximum of records in one invocation
	StartAtTrimHorizon    bool   // if false, the function sees only changes after its first poll
	BisectOnError         bool   // split a failing batch into halves
	ReportsBatchFailures  bool   // the function's response names the items that failed
	MaximumRetryAttempts  int    // -1: no limit
	MaximumBatchingWindow time.Duration
	ParallelizationFactor int       // number of batches of a shard that are processed at once
	Disabled              bool      // nothing reads the stream for the function
	Filters               []Pattern // of records. A function sees the records that match at least one. Without filters it sees all
}

// Schedule is an event that invokes a function at fixed times.
type Schedule struct {
	Name       string // the event's name in the template
	Expression string // rate(5 minutes), cron(...)
	Input      string // the event's JSON. If it is empty, the event is EventBridge's own
	Disabled   bool   // it never invokes the function
}

type functionProperties struct {
	Timeout     int `yaml:"Timeout"`
	MemorySize  int `yaml:"MemorySize"`
	Environment struct {
		Variables map[string]string `yaml:"Variables"`
	} `yaml:"Environment"`
	Events map[string]struct {
		Type       string `yaml:"Type"`
		Properties any    `yaml:"Properties"`
	} `yaml:"Events"`
}

// Group returns the folder under functions/ for a function's logical id. The Makefile builds by
// the same rule: KvFunction is functions/kv.
func Group(logicalID string) string {
	return strings.ToLower(strings.TrimSuffix(logicalID, "Function"))
}

func parseFunction(id string, globals, properties any) (Function, error) {
	var p, g functionProperties
	if err := decode(properties, &p); err != nil {
		return Function{}, err
	}
	if err := decode(section(globals, "Function"), &g); err != nil {
		return Function{}, fmt.Errorf("in Globals: %w", err)
	}
	f := Function{
		LogicalID:   id,
		Group:       Group(id),
		Environment: map[string]string{},
		Timeout:     time.Duration(cmp.Or(p.Timeout, g.Timeout, 3)) * time.Second, // 3 s and 128 MB are AWS's defaults
		MemoryMB:    cmp.Or(p.MemorySize, g.MemorySize, 128),
	}
	maps.Copy(f.Environment, g.Environment.Variables)
	maps.Copy(f.Environment, p.Environment.Variables)
	for _, name := range slices.Sorted(maps.Keys(p.Events)) {
		event := p.Events[name]
		if err := f.addEvent(name, event.Type, event.Properties); err != nil {
			return Function{}, fmt.Errorf("event %s: %w", name, err)
		}
	}
	return f, nil
}

// section returns the part of Globals for one type of resource.
func section(globals any, kind string) any {
	m, _ := globals.(map[string]any)
	return m[kind]
}
