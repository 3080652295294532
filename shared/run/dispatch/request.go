package dispatch

import (
	"encoding/json"
	"fmt"

	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// request returns what the host is asked to start, without the work token, or the
// reason why the run cannot be started by any host.
func (d Dispatcher) request(r run.Run) (vcshost.CIStart, *run.Reason) {
	if d.PublicBaseURL == "" {
		reason := run.ReasonNotConfigured("it does not know the address at which runners reach it", "set the parameter PublicBaseUrl")
		return vcshost.CIStart{}, &reason
	}
	labels, err := labelsOf(r.RunsOn)
	if err != nil {
		reason := run.ReasonCannotStart(err.Error(), "correct runs_on in the configuration")
		return vcshost.CIStart{}, &reason
	}
	return vcshost.CIStart{
		Branch: r.Source.Branch, Environment: r.Environment, RunsOn: labels,
		APIBaseURL: d.PublicBaseURL + "/api/" + string(r.Repository.Installation.VCS),
	}, nil
}

// labelsOf reads runs_on: JSON text of one label or of a list of labels.
func labelsOf(runsOn string) ([]string, error) {
	if runsOn == "" {
		return nil, nil
	}
	var one string
	if json.Unmarshal([]byte(runsOn), &one) == nil {
		return []string{one}, nil
	}
	var list []string
	if json.Unmarshal([]byte(runsOn), &list) != nil {
		return nil, fmt.Errorf("runs_on is %.100s, which is neither a label nor a list of labels", runsOn)
	}
	return list, nil
}
