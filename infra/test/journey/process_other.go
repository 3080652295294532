//go:build unix && !linux

package journey

import (
	"fmt"
	"os/exec"
	"strconv"
	"strings"
)

// processes lists the processes of this machine.
func processes() ([]Process, error) {
	out, err := exec.Command("ps", "-A", "-o", "pid=,ppid=,stat=,command=").Output()
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	var all []Process
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		if len(fields) < 4 || strings.HasPrefix(fields[2], "Z") {
			continue
		}
		pid, _ := strconv.Atoi(fields[0])
		parent, _ := strconv.Atoi(fields[1])
		all = append(all, Process{PID: pid, Command: strings.Join(fields[3:], " "), parent: parent})
	}
	return all, nil
}
