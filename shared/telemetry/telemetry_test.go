package telemetry_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"reflect"
	"testing"
	"time"

	"github.com/opsplane/opsplane/shared/telemetry"
)

func TestMetricsHaveTheFormThatCloudWatchReads(t *testing.T) {
	var line bytes.Buffer
	slog.New(slog.NewJSONHandler(&line, nil)).Info("m", slog.Int("refused", 1),
		telemetry.Metrics(time.UnixMilli(1_750_000_000_123), telemetry.Metric{Name: "refused", Unit: "Count"}))
	var got struct {
		Meta any `json:"_aws"`
	}
	if err := json.Unmarshal(line.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	var want any
	err := json.Unmarshal([]byte(`{"Timestamp":1750000000123,"CloudWatchMetrics":[{"Namespace":"Opsplane",
		"Dimensions":[["function"]],"Metrics":[{"Name":"refused","Unit":"Count"}]}]}`), &want)
	if err != nil || !reflect.DeepEqual(got.Meta, want) {
		t.Errorf("got %v, %v; want %v", got.Meta, err, want)
	}
}
