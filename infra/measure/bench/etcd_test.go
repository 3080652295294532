package bench_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"testing"
	"time"
)

// etcd is an etcd server, used over its JSON API.
type etcd struct {
	url    string
	served *exec.Cmd
}

// etcdLimit is the maximum time to wait for the server's start.
const etcdLimit = 30 * time.Second

// startEtcd starts an etcd server that ends with the benchmark. If etcd is not installed, it
// logs that and returns nil.
func startEtcd(b *testing.B) *etcd {
	b.Helper()
	path, err := exec.LookPath("etcd")
	if err != nil {
		fmt.Println("etcd is not installed (Debian's package etcd-server): chunks are not compared with it")
		return nil
	}
	client, peer := freeURL(b), freeURL(b)
	e := &etcd{url: client}
	e.served = exec.Command(path, "--data-dir", b.TempDir(), "--name", "bench", "--log-level", "error",
		"--listen-client-urls", client, "--advertise-client-urls", client,
		"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", "bench="+peer,
		"--quota-backend-bytes", fmt.Sprint(6<<30))
	bound(e.served)
	var said bytes.Buffer
	e.served.Stdout, e.served.Stderr = &said, &said
	if err := e.served.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = e.served.Process.Kill()
		_ = e.served.Wait()
	})
	for deadline := time.Now().Add(etcdLimit); ; time.Sleep(20 * time.Millisecond) {
		err := e.call("/v3/kv/put", map[string]string{"key": text64("ready"), "value": text64("1")}, nil)
		if err == nil {
			return e
		}
		if time.Now().After(deadline) {
			b.Fatalf("etcd does not respond: %v", err)
		}
	}
}

func (e *etcd) put(key string, raw []byte) error {
	return e.call("/v3/kv/put", map[string]string{"key": text64(key), "value": base64.StdEncoding.EncodeToString(raw)}, nil)
}

// get reads a value and decodes it.
func (e *etcd) get(key string) ([]byte, error) {
	var response struct {
		KVs []struct {
			Value []byte `json:"value"`
		} `json:"kvs"`
	}
	if err := e.call("/v3/kv/range", map[string]string{"key": text64(key)}, &response); err != nil {
		return nil, err
	}
	if len(response.KVs) != 1 {
		return nil, fmt.Errorf("etcd has %d values of %s", len(response.KVs), key)
	}
	return response.KVs[0].Value, nil
}

func (e *etcd) call(path string, body map[string]string, into any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	resp, err := client.Post(e.url+path, "application/json", bytes.NewReader(text))
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	response, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("etcd returned %s: %.200s", resp.Status, response)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(response, into)
}

func text64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// freeURL returns an address on the loopback interface that nobody uses.
func freeURL(b *testing.B) string {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return "http://" + l.Addr().String()
}
