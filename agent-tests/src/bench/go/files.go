package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Files: many small ones, and a large one up and down.

const (
	smallFiles = 2000
	smallText  = "a small file\n"
	largeBytes = 512 * mib
	uploadOf   = "upload of 512 MiB"
	downloadOf = "download of 512 MiB"
)

// What is done to small files: by a daemon that is asked, or by the kernel without one.
type fileWork interface {
	write(path string) error
	read(path string) error
	list(directory string) error
	stat(path string) error
	cpu() time.Duration // of whoever does it
}

func smallFigures(w fileWork, directory string) (f []figure, err error) {
	path := func(i int) string { return filepath.Join(directory, fmt.Sprintf("f%d", i)) }
	measure := func(name, unit string, warm, n int, work func(i int) error) {
		repeat := func(n int) (times []time.Duration) {
			for i := 0; i < n && err == nil; i++ {
				began := time.Now()
				err = work(i)
				times = append(times, time.Since(began))
			}
			return times
		}
		repeat(warm)
		cpu := w.cpu()
		times := repeat(n)
		if err != nil {
			return
		}
		in := micros
		if unit == "ms" {
			in = millis
		}
		f = append(f, figure{name + ": p50", unit, in(quantile(times, .5))}, figure{name + ": CPU", unit, in(w.cpu()-cpu) / float64(n)})
	}
	measure("write of a small file", "µs", smallFiles/10, smallFiles, func(i int) error { return w.write(path(i)) })
	measure("read of a small file", "µs", 0, smallFiles, func(i int) error { return w.read(path(i)) })
	measure("ListDir of 2,000 entries", "ms", 0, 30, func(int) error { return w.list(directory) })
	measure("Stat", "µs", 1000, 5000, func(int) error { return w.stat(path(0)) })
	return f, err
}

// By HTTP, as SDKs do it: Connect's JSON, and the bytes of a file as a body.
type askedFiles struct {
	*daemon
	user string
	buf  []byte
}

// Small things first, so that a daemon has seen as little as if they were measured by themselves. A file that is uploaded to warm up
// is deleted, so that its memory is at hand for the next: in a virtual machine, fresh memory costs more than all the rest.
func files(d *daemon) ([]figure, error) {
	a := askedFiles{d, "root", make([]byte, 1<<20)}
	if u, err := user.Current(); err == nil {
		a.user = u.Username
	}
	f, err := smallFigures(a, filepath.Join(d.state, "small"))
	large := filepath.Join(d.state, "large")
	for _, w := range []struct {
		name string
		work func(string) error
	}{{uploadOf, a.upload}, {downloadOf, a.download}} {
		if err == nil {
			err = w.work(large) // warm
		}
		if err == nil && w.name == uploadOf {
			err = os.Remove(large)
		}
		began, cpu := time.Now(), d.cpu()
		if err == nil {
			err = w.work(large)
		}
		if err != nil {
			return f, err
		}
		f = append(f, rates(w.name, largeBytes, time.Since(began), d.cpu()-cpu)...)
	}
	return append(f, figure{"peak resident", "MiB", d.status("VmHWM")}), nil
}

func (a askedFiles) request(method, path string, body io.Reader, size int64) (n int64, err error) {
	req, err := http.NewRequest(method, a.url("/files?username="+url.QueryEscape(a.user)+"&path="+url.QueryEscape(path)), body)
	if err != nil {
		return 0, err
	}
	if body != nil {
		req.ContentLength = size
		req.Header.Set("Content-Type", "application/octet-stream")
	}
	resp, err := a.clients[0].Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	n, err = io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{resp.Body}, a.buf)
	if err == nil && resp.StatusCode != 200 {
		err = errors.New(resp.Status)
	}
	if err != nil {
		err = fmt.Errorf("%s of %s after %d bytes: %w", method, path, n, err)
	}
	return n, err
}

func (a askedFiles) write(path string) error {
	_, err := a.request("POST", path, strings.NewReader(smallText), int64(len(smallText)))
	return err
}

func (a askedFiles) upload(path string) error {
	_, err := a.request("POST", path, io.LimitReader(zeroReader{}, largeBytes), largeBytes)
	if err != nil {
		return err
	}
	return hasLength(path, largeBytes)
}

func (a askedFiles) read(path string) error     { return a.get(path, int64(len(smallText))) }
func (a askedFiles) download(path string) error { return a.get(path, largeBytes) }

func (a askedFiles) get(path string, want int64) error {
	n, err := a.request("GET", path, nil, 0)
	if err == nil && n != want {
		err = fmt.Errorf("%s: %d bytes of %d", path, n, want)
	}
	return err
}

func (a askedFiles) list(directory string) error {
	answer, err := a.unary("/filesystem.Filesystem/ListDir", fmt.Sprintf(`{"path":%q,"depth":1}`, directory))
	if n := strings.Count(answer, `"name":`); err == nil && n != smallFiles {
		err = fmt.Errorf("ListDir: %d entries of %d", n, smallFiles)
	}
	return err
}

func (a askedFiles) stat(path string) error {
	answer, err := a.unary("/filesystem.Filesystem/Stat", fmt.Sprintf(`{"path":%q}`, path))
	if err == nil && !strings.Contains(answer, fmt.Sprintf(`"size":"%d"`, len(smallText))) {
		err = fmt.Errorf("Stat: not the size in %s", answer)
	}
	return err
}

// Whatever is in the buffer, which is nothing else than zeros.
type zeroReader struct{}

func (zeroReader) Read(b []byte) (int, error) { return len(b), nil }

func hasLength(path string, want int64) error {
	info, err := os.Stat(path)
	if err == nil && info.Size() != want {
		err = fmt.Errorf("%s has %d bytes of %d", path, info.Size(), want)
	}
	return err
}

// The floor of small files: the system calls alone, one after the other. A file is written whole or not at all, by a rename.
type kernelFiles struct{}

func (kernelFiles) cpu() time.Duration { return ownCPU() }

func (kernelFiles) write(path string) error {
	return errors.Join(os.WriteFile(path+"~", []byte(smallText), 0o644), os.Rename(path+"~", path))
}

func (kernelFiles) read(path string) error {
	b, err := os.ReadFile(path)
	if err == nil && string(b) != smallText {
		err = fmt.Errorf("%s has %q", path, b)
	}
	return err
}

func (kernelFiles) list(directory string) error {
	found, err := os.ReadDir(directory)
	if err == nil && len(found) != smallFiles {
		err = fmt.Errorf("%d entries of %d", len(found), smallFiles)
	}
	for _, e := range found {
		if _, e := e.Info(); e != nil {
			err = e
		}
	}
	return err
}

func (kernelFiles) stat(path string) error {
	_, err := os.Lstat(path)
	return err
}

// The floor of a large file: a program between it and a socket, that knows nothing.
func filesFloor() ([]figure, error) {
	directory, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(directory)
	f, err := smallFigures(kernelFiles{}, directory)
	if err != nil {
		return f, err
	}
	large := filepath.Join(directory, "large")
	for _, w := range []struct {
		name, mode string
		wanted     int64
		feed       func(net.Conn) error
	}{
		{uploadOf, "relay-upload", 0, func(c net.Conn) error {
			_, err := io.CopyBuffer(struct{ io.Writer }{c}, io.LimitReader(zeroReader{}, largeBytes), make([]byte, 256<<10))
			return errors.Join(err, c.(*net.TCPConn).CloseWrite())
		}},
		{downloadOf, "relay-file", largeBytes, func(c net.Conn) error {
			_, err := c.Write([]byte{0})
			return err
		}},
	} {
		var took, cpu time.Duration
		for range 2 { // the first to warm up, as with daemons
			if w.name == uploadOf {
				os.Remove(large)
			}
			r, err := startRelay(w.mode, large, nil, 1)
			if err != nil {
				return f, err
			}
			began := time.Now()
			err = w.feed(r.clients[0])
			used, e := r.drain(w.wanted)
			took, cpu = time.Since(began), used
			if err := errors.Join(err, e, hasLength(large, largeBytes)); err != nil {
				return f, err
			}
		}
		f = append(f, rates(w.name, largeBytes, took, cpu)...)
	}
	return f, nil
}

// Writes what comes into a file.
func relayUpload(name string) error {
	blocking(3)
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer f.Close()
	buf := make([]byte, 256<<10)
	for {
		n, err := syscall.Read(3, buf)
		if err == syscall.EINTR {
			continue
		}
		if err != nil || n == 0 {
			return err
		}
		if err := writeAll(int(f.Fd()), buf[:n]); err != nil {
			return err
		}
	}
}
