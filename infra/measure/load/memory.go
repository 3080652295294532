package load

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// sample is one measurement of the stack's processes.
type sample struct {
	at        time.Duration // since the start of the run
	processes []process
}

// process is one of the stack's processes.
type process struct {
	pid, parent int
	role        string // a function's group, or a program
	resident    int    // bytes
}

func (s sample) total() (bytes int) {
	for _, p := range s.processes {
		bytes += p.resident
	}
	return bytes
}

// family lists the processes of the stack that uses a state folder: the process that holds the
// folder's lock, and all its descendants. It needs /proc. Without /proc it returns nothing.
func family(state string) []process {
	lock, err := filepath.Abs(filepath.Join(state, "lock"))
	if err != nil {
		return nil
	}
	all := processes()
	members := map[int]bool{}
	for _, p := range all {
		if holds(p.pid, lock) {
			members[p.pid] = true
		}
	}
	for grown := true; grown; {
		grown = false
		for _, p := range all {
			if members[p.parent] && !members[p.pid] {
				members[p.pid], grown = true, true
			}
		}
	}
	var found []process
	for _, p := range all {
		if members[p.pid] {
			found = append(found, p)
		}
	}
	return found
}

// holds reports whether a process has a file open.
func holds(pid int, path string) bool {
	descriptors, err := filepath.Glob(filepath.Join("/proc", strconv.Itoa(pid), "fd", "*"))
	if err != nil {
		return false
	}
	for _, d := range descriptors {
		if target, err := os.Readlink(d); err == nil && target == path {
			return true
		}
	}
	return false
}

// processes lists the processes of this machine. It leaves out those that end meanwhile.
func processes() []process {
	entries, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil
	}
	var all []process
	for _, dir := range entries {
		p := process{role: role(dir)}
		p.pid, _ = strconv.Atoi(filepath.Base(dir))
		status, err := os.ReadFile(filepath.Join(dir, "status"))
		if err != nil {
			continue
		}
		for line := range bytes.Lines(status) {
			switch name, value, _ := strings.Cut(string(line), ":"); name {
			case "PPid":
				p.parent, _ = strconv.Atoi(strings.TrimSpace(value))
			case "VmRSS":
				kilobytes, _ := strconv.Atoi(strings.Fields(value)[0])
				p.resident = kilobytes << 10
			}
		}
		all = append(all, p)
	}
	return all
}

// role returns the role of a process: its program and first argument, or the group of a
// function. A group's folder has a folder for each version of the binary.
func role(dir string) string {
	line, err := os.ReadFile(filepath.Join(dir, "cmdline"))
	if err != nil {
		return ""
	}
	arguments := strings.Split(strings.TrimRight(string(line), "\x00"), "\x00")
	program := filepath.Base(arguments[0])
	if program == "bootstrap" {
		return "function " + filepath.Base(filepath.Dir(filepath.Dir(arguments[0])))
	}
	if len(arguments) > 1 && !strings.HasPrefix(arguments[1], "-") {
		return program + " " + filepath.Base(arguments[1])
	}
	return program
}
