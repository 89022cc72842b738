package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// What the machine does without a daemon: a spawn and a wait; a program that reads a pipe and writes a socket, and knows nothing.

// Spawns /bin/true with its output in a pipe, reads to the end and waits.
func spawnTrue() error {
	out, in, err := os.Pipe()
	if err != nil {
		return err
	}
	defer out.Close()
	p, err := os.StartProcess("/bin/true", []string{"/bin/true"}, &os.ProcAttr{Files: []*os.File{nil, in, in}})
	in.Close()
	if err != nil {
		return err
	}
	if n, _ := io.Copy(io.Discard, out); n != 0 {
		return fmt.Errorf("/bin/true printed %d bytes", n)
	}
	state, err := p.Wait()
	if err == nil && !state.Success() {
		err = fmt.Errorf("/bin/true: %s", state)
	}
	return err
}

// This program under another name, with sockets from descriptor 3 on; their other ends are the caller's.
type relay struct {
	program *exec.Cmd
	clients []net.Conn
}

func startRelay(mode, argument string, stdin *os.File, sockets int) (*relay, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	r := &relay{program: exec.Command(self, mode, argument)}
	r.program.Stdin, r.program.Stderr = stdin, os.Stderr
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	defer l.Close()
	for range sockets {
		client, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			return nil, err
		}
		server, err := l.Accept()
		if err != nil {
			return nil, err
		}
		f, err := server.(*net.TCPConn).File()
		server.Close()
		if err != nil {
			return nil, err
		}
		defer f.Close()
		r.clients = append(r.clients, client)
		r.program.ExtraFiles = append(r.program.ExtraFiles, f)
	}
	return r, r.program.Start()
}

// Reads what comes at all clients to its end, and tells the relay's processor time.
func (r *relay) drain(wantEach int64) (time.Duration, error) {
	errs := make(chan error, len(r.clients))
	for _, c := range r.clients {
		go func() {
			defer c.Close()
			n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{c}, make([]byte, 256<<10))
			if err == nil && n != wantEach {
				err = fmt.Errorf("floor: %d bytes of %d", n, wantEach)
			}
			errs <- err
		}()
	}
	var first error
	for range r.clients {
		if err := <-errs; err != nil && first == nil {
			first = err
		}
	}
	if err := r.program.Wait(); err != nil && first == nil {
		first = err
	}
	return r.program.ProcessState.UserTime() + r.program.ProcessState.SystemTime(), first
}

// A command into a pipe, a relay from the pipe to sockets. Tells the time from the spawn on, and the relay's processor time.
func relayed(command []string, sockets int, wantEach int64) (took, cpu time.Duration, err error) {
	out, in, err := os.Pipe()
	if err != nil {
		return 0, 0, err
	}
	widen(in)
	r, err := startRelay("relay-pipe", strconv.Itoa(sockets), out, sockets)
	out.Close()
	if err != nil {
		in.Close()
		return 0, 0, err
	}
	program := exec.Command(command[0], command[1:]...)
	program.Stdout = in
	began := time.Now()
	err = program.Start()
	in.Close()
	if err != nil {
		return 0, 0, err
	}
	cpu, err = r.drain(wantEach)
	took = time.Since(began)
	program.Wait()
	return took, cpu, err
}

func writeAll(fd int, b []byte) error {
	for len(b) > 0 {
		n, err := syscall.Write(fd, b)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// Sockets were handed over as they are in the parent, where they do not block.
func blocking(fd int) { syscall.SetNonblock(fd, false) }

func relayPipe(sockets string) error {
	n, err := strconv.Atoi(sockets)
	if err != nil {
		return err
	}
	for i := range n {
		blocking(3 + i)
	}
	buf := make([]byte, 64<<10)
	for {
		got, err := syscall.Read(0, buf)
		if err == syscall.EINTR {
			continue
		}
		if err != nil || got == 0 {
			return err
		}
		for i := range n {
			if err := writeAll(3+i, buf[:got]); err != nil {
				return err
			}
		}
	}
}

// Sends the file when a byte has come.
func relayFile(name string) error {
	blocking(3)
	if _, err := syscall.Read(3, make([]byte, 1)); err != nil {
		return err
	}
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	for {
		n, err := syscall.Sendfile(3, int(f.Fd()), nil, 1<<20)
		if err == syscall.EINTR {
			continue
		}
		if err != nil || n == 0 {
			return err
		}
	}
}

// Lines in, objects of the length of a record out, whatever the lines hold.
func relayRecords() error {
	const head = `{"@timestamp":"2026-01-01T00:00:00.000000Z","level":"INFO","logger":"process","event_type":"process_output","pid":4711,"stream":"stdout","message":"`
	const tail = `","process_id":"p01m7zn6f2bb6c2gtmk","seq":100000}` + "\n"
	in, out := bufio.NewReaderSize(os.Stdin, 64<<10), bufio.NewWriterSize(os.Stdout, 64<<10)
	for {
		line, err := in.ReadSlice('\n')
		if err == io.EOF {
			return out.Flush()
		}
		if err != nil {
			return err
		}
		out.WriteString(head)
		out.Write(line[:len(line)-1])
		out.WriteString(tail)
	}
}

// N workers share so many repetitions. Tells each one's time, and all of them together.
func together(workers, repetitions int, work func() error) (each []time.Duration, all time.Duration, err error) {
	var mu sync.Mutex
	var group sync.WaitGroup
	left := repetitions
	began := time.Now()
	for range workers {
		group.Go(func() {
			for {
				mu.Lock()
				left--
				stop := left < 0 || err != nil
				mu.Unlock()
				if stop {
					return
				}
				t := time.Now()
				e := work()
				took := time.Since(t)
				mu.Lock()
				each = append(each, took)
				if e != nil && err == nil {
					err = e
				}
				mu.Unlock()
			}
		})
	}
	group.Wait()
	return each, time.Since(began), err
}
