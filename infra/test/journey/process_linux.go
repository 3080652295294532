package journey

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// processes lists the processes of this machine.
func processes() ([]Process, error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	var all []Process
	for _, path := range stats {
		stat, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		// The name is in parentheses and may contain anything. So the fields are counted from
		// the last parenthesis.
		end := bytes.LastIndexByte(stat, ')')
		fields := strings.Fields(string(stat[end+1:]))
		const state, parent, started = 0, 1, 19
		if end < 0 || len(fields) <= started {
			return nil, fmt.Errorf("%s: %q", path, stat)
		}
		if fields[state] == "Z" || fields[state] == "X" {
			continue
		}
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		ppid, err := strconv.Atoi(fields[parent])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		command, _ := os.ReadFile(filepath.Join(filepath.Dir(path), "cmdline"))
		all = append(all, Process{
			PID: pid, Command: strings.TrimSpace(strings.ReplaceAll(string(command), "\x00", " ")),
			parent: ppid, started: fields[started],
		})
	}
	return all, nil
}
