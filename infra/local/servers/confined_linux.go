package servers

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"syscall"
	"unsafe"
)

// confined returns the command of a relay on addr. Behind the relay, the Java server runs in a
// network namespace of its own. DynamoDB Local listens on every interface, and no option
// changes that. In the namespace the loopback device is the only interface.
func confined(java string, args []string, dir, addr string) *exec.Cmd {
	cmd := exec.Command(self(), append([]string{helperRelay, addr, java}, args...)...)
	cmd.Dir = dir
	return cmd
}

const insidePort = "8000"

// relay listens on addr and passes the listener to a process in a new network namespace. A
// socket stays in the namespace in which it was made. So that process can accept connections
// outside and open connections inside. relay ends when that process ends.
func relay(ctx context.Context, addr string, java []string) error {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	file, err := listener.(*net.TCPListener).File()
	if err != nil {
		return err
	}
	inner := exec.CommandContext(ctx, self(), append([]string{helperInside}, java...)...)
	inner.Stdout, inner.Stderr = os.Stdout, os.Stderr
	inner.ExtraFiles = []*os.File{file}
	inner.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Cloneflags: syscall.CLONE_NEWNET}
	if os.Getuid() != 0 {
		// A user namespace gives an ordinary user the right to make a network namespace.
		inner.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		inner.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		inner.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	if err := inner.Start(); err != nil {
		return fmt.Errorf("DynamoDB Local needs a network namespace (allow unprivileged user namespaces, or set DYNAMODB_URL to a server of your own): %w", err)
	}
	return inner.Wait()
}

// inside runs within the namespace. It raises the loopback device, starts the server, and
// connects each connection of the listener with the server.
func inside(ctx context.Context, java []string) error {
	if err := raiseLoopback(); err != nil {
		return fmt.Errorf("raise the loopback device: %w", err)
	}
	listener, err := net.FileListener(os.NewFile(3, "listener")) // the first of ExtraFiles
	if err != nil {
		return err
	}
	go forward(listener)
	cmd := exec.CommandContext(ctx, java[0], append(java[1:], "-port", insidePort)...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd.Run()
}

// raiseLoopback does what "ip link set lo up" does, without that program.
func raiseLoopback() error {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	defer func() { _ = syscall.Close(fd) }()
	request := struct {
		name  [16]byte
		flags uint16
		_     [22]byte
	}{flags: syscall.IFF_UP | syscall.IFF_RUNNING}
	copy(request.name[:], "lo")
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), syscall.SIOCSIFFLAGS, uintptr(unsafe.Pointer(&request)))
	if errno != 0 {
		return errno
	}
	return nil
}

// forward connects each incoming connection with a new connection to the server.
func forward(listener net.Listener) {
	for {
		client, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			defer func() { _ = client.Close() }()
			server, err := net.Dial("tcp", "127.0.0.1:"+insidePort)
			if err != nil {
				return // the client's connection ends: the server is not ready yet
			}
			defer func() { _ = server.Close() }()
			done := make(chan struct{}, 2)
			for _, pair := range [][2]net.Conn{{client, server}, {server, client}} {
				go func() {
					_, _ = io.Copy(pair[0], pair[1])
					done <- struct{}{}
				}()
			}
			<-done
		}()
	}
}
