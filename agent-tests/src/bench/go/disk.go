package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// Records and history, both through the native API: nobody is attached to these commands.

// A daemon with this option has its standard output read by the test.
const recordsOption = "--output-record-count"

// Fewer bytes than are kept of one command, so that the reader of the log that makes records cannot miss any.
const recordLines = 500_000

func (d *daemon) startDetached(command []string) (id string, err error) {
	b, err := json.Marshal(map[string]any{"command": map[string]any{"cmd": command[0], "args": command[1:]}})
	if err != nil {
		return "", err
	}
	answer, err := d.unary("/sandpiper.v1.Processes/Start", string(b))
	if err != nil {
		return "", err
	}
	var m struct{ Process struct{ Id string } }
	if err := json.Unmarshal([]byte(answer), &m); err != nil || m.Process.Id == "" {
		return "", fmt.Errorf("no id in %s", answer)
	}
	return m.Process.Id, nil
}

// Counts records up to the end of the process, and what their messages hold.
type recordCounter struct {
	lines, bytes, output int
	ended                chan struct{}
}

func (c *recordCounter) read(in io.Reader) {
	buf := make([]byte, 0, 1<<20)
	for {
		n, err := in.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		rest := buf
		for {
			i := bytes.IndexByte(rest, '\n')
			if i < 0 {
				break
			}
			line := rest[:i]
			rest = rest[i+1:]
			c.bytes += i + 1
			if bytes.Contains(line, []byte(`"event_type":"process_output"`)) {
				c.lines++
				if j := bytes.Index(line, []byte(`"message":"`)); j >= 0 {
					c.output += bytes.IndexByte(line[j+len(`"message":"`):], '"') + 1
				}
			} else if bytes.Contains(line, []byte(`"event_type":"process_end"`)) {
				c.ended <- struct{}{}
			}
		}
		buf = buf[:copy(buf[:cap(buf)], rest)]
		if err != nil {
			return
		}
	}
}

func (c *recordCounter) wait() error {
	select {
	case <-c.ended:
		return nil
	case <-time.After(time.Minute):
		return errors.New("no process_end record within a minute")
	}
}

func records(d *daemon) ([]figure, error) {
	c := &recordCounter{ended: make(chan struct{}, 8)}
	go c.read(d.stdout)
	command, _ := printed(recordLines / 10)
	if _, err := d.startDetached(command); err != nil { // warm
		return nil, err
	}
	if err := c.wait(); err != nil {
		return nil, err
	}
	lines, output := c.lines, c.output
	command, bytes := printed(recordLines)
	began, cpu := time.Now(), d.cpu()
	if _, err := d.startDetached(command); err != nil {
		return nil, err
	}
	if err := c.wait(); err != nil {
		return nil, err
	}
	took, used := time.Since(began), d.cpu()-cpu
	if c.lines-lines != recordLines || int64(c.output-output) != bytes {
		return nil, fmt.Errorf("%d records of %d, with %d bytes of %d", c.lines-lines, recordLines, c.output-output, bytes)
	}
	return recordRates(took, used), nil
}

func recordRates(took, cpu time.Duration) []figure {
	return []figure{{"records", "/s", recordLines / took.Seconds()}, {"CPU per million records", "s", cpu.Seconds() * 1e6 / recordLines}}
}

func recordsFloor() ([]figure, error) {
	out, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	widen(in)
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	relay := exec.Command(self, "relay-records")
	relay.Stdin, relay.Stderr = out, os.Stderr
	records, err := relay.StdoutPipe()
	if err == nil {
		err = relay.Start()
	}
	out.Close()
	if err != nil {
		in.Close()
		return nil, err
	}
	command, bytes := printed(recordLines)
	program := exec.Command(command[0], command[1:]...)
	program.Stdout = in
	began := time.Now()
	err = program.Start()
	in.Close()
	if err != nil {
		return nil, err
	}
	c := &recordCounter{ended: make(chan struct{}, 1)}
	c.read(records)
	took := time.Since(began)
	err = errors.Join(program.Wait(), relay.Wait())
	if err == nil && (c.lines != recordLines || int64(c.output) != bytes) {
		err = fmt.Errorf("floor: %d records of %d", c.lines, recordLines)
	}
	return recordRates(took, relay.ProcessState.UserTime()+relay.ProcessState.SystemTime()), err
}

// History

const historyLines = gib / 80

func history(d *daemon) (f []figure, err error) {
	command, bytes := printed(historyLines)
	id, err := d.startDetached(command)
	if err != nil {
		return nil, err
	}
	answer, err := d.unary("/sandpiper.v1.Processes/Wait", fmt.Sprintf(`{"process":{"id":%q},"timeoutMs":"60000"}`, id))
	if err != nil {
		return nil, err
	}
	if !json.Valid([]byte(answer)) {
		return nil, fmt.Errorf("wait: %s", answer)
	}
	for _, cold := range []bool{false, true} {
		name := "reattach"
		if cold {
			name += ", cold"
			if err := evict(d.state); err != nil {
				return f, err
			}
		}
		first, took, cpu, err := d.readAll(id, bytes)
		if err != nil {
			return f, err
		}
		f = append(f, figure{name + ": first byte", "ms", millis(first)})
		f = append(f, rates(name, bytes, took, cpu)...)
	}
	began := time.Now()
	n, _, err := d.get("/logs?tail=10&id=" + id)
	if err == nil && n != 800 {
		err = fmt.Errorf("the last ten lines have %d bytes", n)
	}
	if err != nil {
		return f, err
	}
	f = append(f, figure{"the last ten lines", "ms", millis(time.Since(began))})
	began, cpu := time.Now(), d.cpu()
	n, first, err := d.get("/logs?id=" + id)
	if err == nil && n != bytes {
		err = fmt.Errorf("%d bytes of %d as text", n, bytes)
	}
	if err != nil {
		return f, err
	}
	f = append(f, figure{"log as text: first byte", "ms", millis(first)})
	f = append(f, rates("log as text", bytes, time.Since(began), d.cpu()-cpu)...)
	began, cpu = time.Now(), d.cpu()
	if n, _, err = d.get("/logs?search=not+to+be+found&id=" + id); err == nil && n != 0 {
		err = fmt.Errorf("a search without match found %d bytes", n)
	}
	if err != nil {
		return f, err
	}
	return append(f, rates("search without match", bytes, time.Since(began), d.cpu()-cpu)...), nil
}

// Everything that a process printed, by Read in binary Connect.
func (d *daemon) readAll(id string, want int64) (first, took, cpu time.Duration, err error) {
	message := append(field(1, field(1, []byte(id))), 9<<3, 1) // no_checksum
	var got int64
	began, before := time.Now(), d.cpu()
	err = d.stream(d.client(connectBinary), connectBinary, "/sandpiper.v1.Processes/Read", message, func(b []byte) error {
		kind, data := unwrap(b)
		if kind != dataEvent {
			return nil
		}
		if first == 0 {
			first = time.Since(began)
		}
		got += int64(len(lastField(data, 4)))
		return nil
	})
	if err == nil && got != want {
		err = fmt.Errorf("%d bytes of %d", got, want)
	}
	return first, time.Since(began), d.cpu() - before, err
}

// Counts a body.
func (d *daemon) get(path string) (n int64, first time.Duration, err error) {
	req, err := http.NewRequest("GET", d.url(path), nil)
	if err != nil {
		return 0, 0, err
	}
	req.Header.Set("Authorization", authorization)
	began := time.Now()
	resp, err := d.clients[0].Do(req)
	if err != nil {
		return 0, 0, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != 200 {
		return 0, 0, errors.New(resp.Status)
	}
	buf := make([]byte, 256<<10)
	for {
		m, err := resp.Body.Read(buf)
		if m > 0 && n == 0 {
			first = time.Since(began)
		}
		n += int64(m)
		if err == io.EOF {
			return n, first, nil
		}
		if err != nil {
			return n, first, err
		}
	}
}

// Takes every large file out of the page cache, after it has reached the disk.
func evict(directory string) error {
	return filepath.WalkDir(directory, func(name string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := f.Sync(); err != nil {
			return err
		}
		const dontNeed = 4 // POSIX_FADV_DONTNEED
		if _, _, e := syscall.Syscall6(syscall.SYS_FADVISE64, f.Fd(), 0, 0, dontNeed, 0, 0); e != 0 {
			return e
		}
		return nil
	})
}

// A file of the same size through sendfile.
func historyFloor() (f []figure, err error) {
	directory, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(directory)
	name := filepath.Join(directory, "file")
	command, bytes := printed(historyLines)
	file, err := os.Create(name)
	if err != nil {
		return nil, err
	}
	program := exec.Command(command[0], command[1:]...)
	program.Stdout = file
	if err := errors.Join(program.Run(), file.Close()); err != nil {
		return nil, err
	}
	for _, what := range []string{"reattach", "reattach, cold", "log as text", "search without match"} {
		if what == "reattach, cold" {
			if err := evict(directory); err != nil {
				return f, err
			}
		}
		r, err := startRelay("relay-file", name, nil, 1)
		if err != nil {
			return f, err
		}
		time.Sleep(20 * time.Millisecond) // until it waits
		began := time.Now()
		var one [1]byte
		if _, err := r.clients[0].Write(one[:]); err != nil {
			return f, err
		}
		if _, err := io.ReadFull(r.clients[0], one[:]); err != nil {
			return f, err
		}
		first := time.Since(began)
		cpu, err := r.drain(bytes - 1)
		if err != nil {
			return f, err
		}
		if what != "search without match" {
			f = append(f, figure{what + ": first byte", "ms", millis(first)})
		}
		f = append(f, rates(what, bytes, time.Since(began), cpu)...)
	}
	return f, nil
}
