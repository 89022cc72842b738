package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A daemon that was started for one test, with a state directory of its own.
type daemon struct {
	contender
	state   string
	port    int
	program *exec.Cmd
	stdout  *os.File      // the reading end, where a test reads it
	ready   time.Duration // exec to the first answer of 204 of /health
	clients [2]*http.Client
}

func withDaemon(c contender, options []string, run func(*daemon) ([]figure, error)) (figures []figure, err error) {
	d, err := launch(c, options)
	if err != nil {
		return nil, err
	}
	defer d.stop()
	return run(d)
}

func launch(c contender, options []string) (d *daemon, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	state, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return nil, err
	}
	command := strings.NewReplacer("{port}", strconv.Itoa(port), "{state}", filepath.Join(state, "state")).Replace(c.command)
	defer func() {
		if err != nil {
			os.RemoveAll(state)
		}
	}()
	d = &daemon{contender: c, state: state, port: port}
	d.program = exec.Command("/bin/sh", append([]string{"-c", "exec " + command + ` "$@"`, "sh"}, options...)...)
	stderr, err := os.Create(filepath.Join(state, "stderr"))
	if err != nil {
		return nil, err
	}
	defer stderr.Close()
	d.program.Stderr = stderr
	// To a file, as a container's log would be; one test reads it itself.
	var out *os.File
	if len(options) > 0 && options[0] == recordsOption {
		d.stdout, out, err = os.Pipe()
	} else {
		out, err = os.Create(filepath.Join(state, "stdout"))
	}
	if err != nil {
		return nil, err
	}
	d.program.Stdout = out
	for i, http2 := range []bool{false, true} {
		d.clients[i] = newClient(http2)
	}
	began := time.Now()
	err = d.program.Start()
	out.Close()
	if err != nil {
		return nil, err
	}
	for !d.healthy() {
		if time.Since(began) > 20*time.Second {
			words, _ := os.ReadFile(stderr.Name())
			d.stop()
			return nil, fmt.Errorf("not healthy within 20 s: %s", words)
		}
		time.Sleep(300 * time.Microsecond)
	}
	d.ready = time.Since(began)
	return d, nil
}

func newClient(http2 bool) *http.Client {
	t := &http.Transport{MaxIdleConnsPerHost: 2000, DisableCompression: true, ReadBufferSize: 256 << 10, Protocols: new(http.Protocols)}
	t.Protocols.SetHTTP1(!http2)
	t.Protocols.SetUnencryptedHTTP2(http2)
	return &http.Client{Transport: t}
}

func (d *daemon) url(path string) string { return fmt.Sprintf("http://127.0.0.1:%d%s", d.port, path) }

func (d *daemon) healthy() bool {
	c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", d.port))
	if err != nil {
		return false
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(2 * time.Second))
	io.WriteString(c, "GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
	line, _ := bufio.NewReader(c).ReadString('\n')
	return strings.Contains(line, " 204")
}

func (d *daemon) stop() {
	for _, c := range d.clients {
		c.CloseIdleConnections()
	}
	d.program.Process.Signal(syscall.SIGTERM)
	late := time.AfterFunc(10*time.Second, func() { d.program.Process.Kill() })
	d.program.Wait()
	late.Stop()
	if d.stdout != nil {
		d.stdout.Close()
	}
	os.RemoveAll(d.state)
}

// Processor time of the daemon itself, its children excluded, in the kernel's ticks of 10 ms.
func (d *daemon) cpu() time.Duration {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", d.program.Process.Pid))
	f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+2:]))
	user, _ := strconv.Atoi(f[11])
	system, _ := strconv.Atoi(f[12])
	return time.Duration(user+system) * 10 * time.Millisecond
}

// A line of /proc/PID/status; MiB where it says kB.
func (d *daemon) status(key string) float64 {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", d.program.Process.Pid))
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, key+":"); ok {
			f := strings.Fields(rest)
			v, _ := strconv.ParseFloat(f[0], 64)
			if len(f) > 1 {
				v /= 1024
			}
			return v
		}
	}
	return -1
}

// A unary call in Connect's JSON.
func (d *daemon) unary(method, body string) (string, error) {
	req, err := http.NewRequest("POST", d.url(method), strings.NewReader(body))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Connect-Protocol-Version", "1")
	req.Header.Set("Authorization", authorization)
	resp, err := d.clients[0].Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != 200 {
		err = fmt.Errorf("%s: %s %s", method, resp.Status, b)
	}
	return string(b), err
}

// Everybody acts as who runs the benchmark.
var authorization = func() string {
	u, err := user.Current()
	if err != nil {
		return ""
	}
	req := http.Request{Header: http.Header{}}
	req.SetBasicAuth(u.Username, "")
	return req.Header.Get("Authorization")
}()

// Processor time of this program, its children excluded.
func ownCPU() time.Duration {
	var r syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
