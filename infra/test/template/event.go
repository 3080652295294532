package template

import (
	"cmp"
	"fmt"
	"strings"
	"time"
)

// noAuthorizer is SAM's value for a route that needs no credential.
const noAuthorizer = "NONE"

func (f *Function) addEvent(name, kind string, properties any) error {
	switch kind {
	case "Api":
		return f.addRoute(properties)
	case "DynamoDB":
		return f.addStream(name, properties)
	case "Schedule":
		var p struct {
			Expression string `yaml:"Schedule"`
			Input      string `yaml:"Input"`
			State      string `yaml:"State"`
		}
		err := decode(properties, &p)
		f.Schedules = append(f.Schedules, Schedule{Name: name, Expression: p.Expression, Input: p.Input, Disabled: p.State == "DISABLED"})
		return err
	case "ScheduleV2":
		var p struct {
			Expression string `yaml:"ScheduleExpression"`
			Input      string `yaml:"Input"`
		}
		err := decode(properties, &p)
		f.Schedules = append(f.Schedules, Schedule{Name: name, Expression: p.Expression, Input: p.Input})
		return err
	}
	return fmt.Errorf("type %s is not supported", kind)
}

func (f *Function) addRoute(properties any) error {
	var p struct {
		Method string `yaml:"Method"`
		Path   string `yaml:"Path"`
		Auth   struct {
			Authorizer string `yaml:"Authorizer"`
		} `yaml:"Auth"`
	}
	if err := decode(properties, &p); err != nil {
		return err
	}
	if p.Method == "" || !strings.HasPrefix(p.Path, "/") {
		return fmt.Errorf("method %q and path %q do not make a route", p.Method, p.Path)
	}
	f.Routes = append(f.Routes, Route{Method: strings.ToUpper(p.Method), Path: p.Path, Authorizer: p.Auth.Authorizer})
	return nil
}

func (f *Function) addStream(name string, properties any) error {
	var p struct {
		Stream                         string   `yaml:"Stream"`
		Enabled                        *bool    `yaml:"Enabled"`
		StartingPosition               string   `yaml:"StartingPosition"`
		BatchSize                      int      `yaml:"BatchSize"`
		BisectBatchOnFunctionError     bool     `yaml:"BisectBatchOnFunctionError"`
		FunctionResponseTypes          []string `yaml:"FunctionResponseTypes"`
		MaximumRetryAttempts           *int     `yaml:"MaximumRetryAttempts"`
		MaximumBatchingWindowInSeconds int      `yaml:"MaximumBatchingWindowInSeconds"`
		ParallelizationFactor          int      `yaml:"ParallelizationFactor"`
		FilterCriteria                 struct {
			Filters []struct {
				Pattern string `yaml:"Pattern"`
			} `yaml:"Filters"`
		} `yaml:"FilterCriteria"`
	}
	if err := decode(properties, &p); err != nil {
		return err
	}
	table, attr, ok := attribute(p.Stream)
	if !ok || attr != "StreamArn" {
		return fmt.Errorf("its Stream is not the StreamArn of a table of this template")
	}
	s := Stream{
		Name: name, Table: table, StartAtTrimHorizon: p.StartingPosition == "TRIM_HORIZON",
		Disabled:             p.Enabled != nil && !*p.Enabled,
		BatchSize:            cmp.Or(p.BatchSize, 100),
		BisectOnError:        p.BisectBatchOnFunctionError,
		ReportsBatchFailures: len(p.FunctionResponseTypes) > 0, MaximumRetryAttempts: -1,
		MaximumBatchingWindow: time.Duration(p.MaximumBatchingWindowInSeconds) * time.Second,
		ParallelizationFactor: cmp.Or(p.ParallelizationFactor, 1),
	}
	for _, f := range p.FilterCriteria.Filters {
		pattern, err := ParsePattern(f.Pattern)
		if err != nil {
			return fmt.Errorf("filter pattern %s: %w", f.Pattern, err)
		}
		s.Filters = append(s.Filters, pattern)
	}
	if p.MaximumRetryAttempts != nil {
		s.MaximumRetryAttempts = *p.MaximumRetryAttempts
	}
	f.Streams = append(f.Streams, s)
	return nil
}

// authorize gives the API's default authorizer to each route that names none. It checks that
// every named authorizer exists.
func (t *Template) authorize() error {
	for i := range t.Functions {
		f := &t.Functions[i]
		for j := range f.Routes {
			route := &f.Routes[j]
			route.Authorizer = cmp.Or(route.Authorizer, t.API.DefaultAuthorizer)
			if route.Authorizer == noAuthorizer {
				route.Authorizer = ""
			}
			if _, ok := t.API.Authorizers[route.Authorizer]; route.Authorizer != "" && !ok {
				return fmt.Errorf("%s: %s %s: no authorizer %s", f.LogicalID, route.Method, route.Path, route.Authorizer)
			}
		}
	}
	for name, a := range t.API.Authorizers {
		if t.Function(a.Function) == nil {
			return fmt.Errorf("authorizer %s: no function %q", name, a.Function)
		}
	}
	return nil
}
