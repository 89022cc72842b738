package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// Many commands, each of which prints the time every 100 ms: how late does a line arrive, and what does it cost?
//
// Each is one bash, which needs no other program to wait: it reads with a time limit from a FIFO that nobody writes to. All
// are started first and wait for a token each in another FIFO; then they begin evenly over the first 100 ms.
const chatterScript = `exec 3<>"$1" 4<>"$2"
read -r -u 3 _
read -r -t "$3" -u 4 _
for ((i = 0; i < $4; i++)); do echo "$EPOCHREALTIME"; read -r -t 0.1 -u 4 _; done
exit 0`

type gates struct{ tokens, silence string }

func newGates(directory string) (gates, error) {
	g := gates{filepath.Join(directory, "tokens"), filepath.Join(directory, "silence")}
	return g, errors.Join(syscall.Mkfifo(g.tokens, 0o600), syscall.Mkfifo(g.silence, 0o600))
}

func (g gates) command(i, of, lines int) []string {
	return []string{"bash", "-c", chatterScript, "bash", g.tokens, g.silence, fmt.Sprintf("%.4f", 0.001+0.1*float64(i)/float64(of)), strconv.Itoa(lines)}
}

func (g gates) open(n int) error {
	f, err := os.OpenFile(g.tokens, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.Write(bytes.Repeat([]byte("\n"), n))
	return err
}

// The delays of lines, which may come in pieces; one for each command.
type clock struct {
	rest   []byte
	delays []time.Duration
}

func (c *clock) read(b []byte) {
	now := time.Now()
	c.rest = append(c.rest, b...)
	for {
		line, rest, ok := bytes.Cut(c.rest, []byte("\n"))
		if !ok {
			return
		}
		c.rest = rest
		// Seconds, a point or a comma, six digits.
		if len(line) > 7 {
			seconds, e1 := strconv.ParseInt(string(line[:len(line)-7]), 10, 64)
			micros, e2 := strconv.ParseInt(string(line[len(line)-6:]), 10, 64)
			if e1 == nil && e2 == nil {
				c.delays = append(c.delays, now.Sub(time.Unix(seconds, micros*1000)))
			}
		}
	}
}

func chatterFigures(clocks []clock, want int, cpu time.Duration, whose string) ([]figure, error) {
	var all []time.Duration
	for _, c := range clocks {
		all = append(all, c.delays...)
	}
	if len(all) != want {
		return nil, fmt.Errorf("%d lines of %d", len(all), want)
	}
	return []figure{{"delay p50", "ms", millis(quantile(all, .5))}, {"delay p99", "ms", millis(quantile(all, .99))}, {whose, "µs", micros(cpu) / float64(want)}}, nil
}

const perLine = "CPU per line"

func chatter(name string, commands, lines int, once bool) test {
	return test{name: name, title: fmt.Sprintf("%d commands, each a line per 100 ms, %d lines", commands, lines), once: once,
		run:   func(d *daemon) ([]figure, error) { return chatterOf(d, commands, lines) },
		floor: func() ([]figure, error) { return chatterFloor(commands, lines) }}
}

func chatterOf(d *daemon, commands, lines int) ([]figure, error) {
	g, err := newGates(d.state)
	if err != nil {
		return nil, err
	}
	if _, err := d.run(call{wire: connectJSON, command: []string{"/bin/true"}}); err != nil {
		return nil, err
	}
	resident, threads := d.status("VmRSS"), d.status("Threads")
	clocks := make([]clock, commands)
	started, ends := make(chan struct{}, commands), make(chan error, commands)
	slots := make(chan struct{}, 64)
	go func() {
		for i := range commands {
			slots <- struct{}{}
			go func() {
				_, err := d.run(call{wire: connectJSON, command: g.command(i, commands, lines), onData: clocks[i].read,
					onStart: func(int) { <-slots; started <- struct{}{} }})
				ends <- err
			}()
		}
	}()
	for range commands {
		select {
		case <-started:
		case err := <-ends:
			return nil, errors.Join(fmt.Errorf("ended before it began: %w", err), g.open(commands))
		}
	}
	cpu, own := d.cpu(), ownCPU()
	if err := g.open(commands); err != nil {
		return nil, err
	}
	var half []figure
	middle := time.After(time.Duration(lines) * 50 * time.Millisecond)
	for left := commands; left > 0; {
		select {
		case <-middle:
			half = []figure{{"resident more", "MiB", d.status("VmRSS") - resident}, {"threads more", "", d.status("Threads") - threads}}
		case e := <-ends:
			left--
			if e != nil {
				err = e
			}
		}
	}
	if err != nil {
		return nil, err
	}
	f, err := chatterFigures(clocks, commands*lines, d.cpu()-cpu, perLine)
	f = append(f, figure{"the client's own CPU per line", "µs", micros(ownCPU()-own) / float64(commands*lines)})
	return append(f, half...), err
}

// The same commands, whose pipes this program reads itself.
func chatterFloor(commands, lines int) ([]figure, error) {
	directory, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(directory)
	g, err := newGates(directory)
	if err != nil {
		return nil, err
	}
	clocks := make([]clock, commands)
	var programs []*exec.Cmd
	var group sync.WaitGroup
	for i := range commands {
		c := g.command(i, commands, lines)
		program := exec.Command(c[0], c[1:]...)
		out, e := program.StdoutPipe()
		if e == nil {
			e = program.Start()
		}
		if e != nil {
			err = e
			break
		}
		programs = append(programs, program)
		group.Go(func() {
			buf := make([]byte, 4<<10)
			for {
				n, err := out.Read(buf)
				clocks[i].read(buf[:n])
				if err != nil {
					if err != io.EOF {
						fmt.Fprintln(os.Stderr, err)
					}
					return
				}
			}
		})
	}
	cpu := ownCPU()
	err = errors.Join(err, g.open(len(programs)))
	group.Wait()
	cpu = ownCPU() - cpu
	for _, p := range programs {
		p.Wait()
	}
	if err != nil {
		return nil, err
	}
	return chatterFigures(clocks, commands*lines, cpu, perLine)
}
