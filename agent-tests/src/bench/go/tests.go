package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	gib = 1 << 30
	mib = 1 << 20
)

func tests(jdk string) []test {
	all := []test{
		{name: "startup", title: "Start and memory", run: startup},
		{name: "start", title: "Start of /bin/true, up to its end", run: starts, floor: startsFloor},
		{name: "stream", title: "One command to one client, 1 GiB", run: streams, floor: streamsFloor},
		{name: "fanout", title: "One command to eight clients, 256 MiB each", needs: []string{"attach"}, run: fanouts, floor: fanoutsFloor},
		{name: "lines", title: "A build log: a line a write", run: buildLog, floor: buildLogFloor},
		{name: "sleepers", title: "1,000 commands that sleep", run: sleepers},
		chatter("chatter", 200, 50, false),
		chatter("chatter1000", 1000, 100, true),
		{name: "files", title: "Files, small and large", needs: []string{"files"}, run: files, floor: filesFloor},
		{name: "records", title: "Records on standard output, 500,000 lines", needs: []string{"native"},
			options: []string{recordsOption, "2147483647", "--output-record-bytes", "1GiB"}, run: records, floor: recordsFloor},
		{name: "history", title: "1 GiB of history on the disk", needs: []string{"native"}, once: true,
			options: []string{"--output-retention", "2GiB", "--output-total", "4GiB", "--output-records=false"}, run: history, floor: historyFloor},
	}
	if jdk != "" {
		all[0].floor = func() ([]figure, error) { return withDaemon(contender{name: "jdk", command: jdk}, nil, startupJDK) }
	}
	return all
}

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }
func millis(d time.Duration) float64 { return micros(d) / 1e3 }

func quantile(d []time.Duration, q float64) time.Duration {
	slices.Sort(d)
	return d[min(len(d)-1, int(q*float64(len(d))))]
}

// 1. Start-up and memory

const idleAfter = 10 * time.Second // what a start needed and nothing else does has been given back

func startup(d *daemon) ([]figure, error) {
	f := []figure{{"exec → first 204 of /health", "ms", millis(d.ready)}}
	r, err := d.run(call{wire: connectJSON, command: []string{"/bin/true"}})
	if err != nil {
		return f, err
	}
	f = append(f, figure{"first Start → pid", "ms", millis(r.toPid)})
	time.Sleep(idleAfter)
	f = append(f, figure{"resident, idle", "MiB", d.status("VmRSS")}, figure{"of it anonymous", "MiB", d.status("RssAnon")}, figure{"threads, idle", "", d.status("Threads")})
	for range 1000 {
		if _, err := d.run(call{wire: connectJSON, command: []string{"/bin/true"}}); err != nil {
			return f, err
		}
	}
	return append(f, figure{"resident after 1,000 requests", "MiB", d.status("VmRSS")}), nil
}

// The same of a server that has nothing but /health.
func startupJDK(d *daemon) ([]figure, error) {
	f := []figure{{"exec → first 204 of /health", "ms", millis(d.ready)}}
	time.Sleep(idleAfter)
	f = append(f, figure{"resident, idle", "MiB", d.status("VmRSS")}, figure{"of it anonymous", "MiB", d.status("RssAnon")}, figure{"threads, idle", "", d.status("Threads")})
	for range 1000 {
		resp, err := d.clients[0].Get(d.url("/health"))
		if err != nil {
			return f, err
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusNoContent {
			return f, fmt.Errorf("/health: %s", resp.Status)
		}
	}
	return append(f, figure{"resident after 1,000 requests", "MiB", d.status("VmRSS")}), nil
}

// 2. Starts

func starts(d *daemon) (f []figure, err error) {
	for _, w := range []wire{connectJSON, grpc} {
		if w.http2 && !d.offers("grpc") {
			continue
		}
		var toPid []time.Duration
		var mu sync.Mutex
		once := func() error {
			r, err := d.run(call{wire: w, command: []string{"/bin/true"}})
			mu.Lock()
			toPid = append(toPid, r.toPid)
			mu.Unlock()
			return err
		}
		if _, _, err := together(1, 300, once); err != nil { // warm
			return f, err
		}
		toPid = nil
		cpu := d.cpu()
		each, all, err := together(1, 1000, once)
		if err != nil {
			return f, err
		}
		f = append(f, figure{w.name + ": → pid p50", "µs", micros(quantile(toPid, .5))}, figure{w.name + ": → end p50", "µs", micros(quantile(each, .5))},
			figure{w.name + ": → end p99", "µs", micros(quantile(each, .99))}, figure{w.name + ": CPU per start", "µs", micros(d.cpu()-cpu) / 1000},
			figure{w.name + ": at 1 in flight", "/s", 1000 / all.Seconds()})
		for _, n := range []int{16, 64} {
			if _, all, err = together(n, 1500, once); err != nil {
				return f, err
			}
			f = append(f, figure{fmt.Sprintf("%s: at %d in flight", w.name, n), "/s", 1500 / all.Seconds()})
		}
	}
	return f, nil
}

func startsFloor() (f []figure, err error) {
	each, all, err := together(1, 1000, spawnTrue)
	if err != nil {
		return nil, err
	}
	perSecond := map[int]float64{1: 1000 / all.Seconds()}
	for _, n := range []int{16, 64} {
		if _, all, err = together(n, 1500, spawnTrue); err != nil {
			return nil, err
		}
		perSecond[n] = 1500 / all.Seconds()
	}
	for _, w := range []wire{connectJSON, grpc} {
		f = append(f, figure{w.name + ": → end p50", "µs", micros(quantile(each, .5))}, figure{w.name + ": → end p99", "µs", micros(quantile(each, .99))})
		for _, n := range []int{1, 16, 64} {
			f = append(f, figure{fmt.Sprintf("%s: at %d in flight", w.name, n), "/s", perSecond[n]})
		}
	}
	return f, nil
}

// 3. Streams

func zeros(bytes int) []string {
	return []string{"dd", "if=/dev/zero", "bs=64k", fmt.Sprintf("count=%d", bytes>>16), "status=none"}
}

func rates(name string, bytes int64, took, cpu time.Duration) []figure {
	return []figure{{name + ": rate", "MiB/s", float64(bytes) / mib / took.Seconds()}, {name + ": CPU", "s/GiB", cpu.Seconds() * gib / float64(bytes)}}
}

func streams(d *daemon) (f []figure, err error) {
	for _, w := range wires {
		if w.http2 && !d.offers("grpc") {
			continue
		}
		if _, err := d.run(call{wire: w, command: zeros(128 * mib)}); err != nil { // warm
			return f, err
		}
		began, cpu, own := time.Now(), d.cpu(), ownCPU()
		r, err := d.run(call{wire: w, command: zeros(gib)})
		if err == nil && r.payload != gib {
			err = fmt.Errorf("%s: %d bytes of %d", w.name, r.payload, gib)
		}
		if err != nil {
			return f, err
		}
		f = append(f, rates(w.name, gib, time.Since(began), d.cpu()-cpu)...)
		f = append(f, figure{w.name + ": the client's own CPU", "s/GiB", (ownCPU() - own).Seconds()})
	}
	return append(f, figure{"peak resident", "MiB", d.status("VmHWM")}), nil
}

func streamsFloor() (f []figure, err error) {
	took, cpu, err := relayed(zeros(gib), 1, gib)
	if err != nil {
		return nil, err
	}
	for _, w := range wires {
		f = append(f, rates(w.name, gib, took, cpu)...)
	}
	return f, nil
}

const (
	fanoutClients = 8
	fanoutBytes   = 256 * mib
)

// The command waits until all clients are there, each with a connection of its own.
func fanout(d *daemon, w wire) ([]figure, error) {
	gate := filepath.Join(d.state, "gate")
	if err := syscall.Mkfifo(gate, 0o600); err != nil {
		return nil, err
	}
	defer os.Remove(gate)
	command := []string{"/bin/sh", "-c", `read -r _ <"$1"; shift; exec "$@"`, "sh", gate}
	pids, attached, ends := make(chan int, 1), make(chan int, fanoutClients), make(chan error, fanoutClients)
	run := func(c call) {
		c.wire, c.client = w, newClient(w.http2)
		r, err := d.run(c)
		c.client.CloseIdleConnections()
		if err == nil && r.payload != fanoutBytes {
			err = fmt.Errorf("%s: a client got %d bytes of %d", w.name, r.payload, fanoutBytes)
		}
		ends <- err
	}
	go run(call{command: append(command, zeros(fanoutBytes)...), onStart: func(pid int) { pids <- pid }})
	var pid int
	select {
	case pid = <-pids:
	case err := <-ends:
		return nil, err
	}
	for range fanoutClients - 1 {
		go run(call{pid: pid, onStart: func(pid int) { attached <- pid }})
	}
	for range fanoutClients - 1 {
		select {
		case <-attached:
		case err := <-ends:
			syscall.Kill(pid, syscall.SIGKILL)
			return nil, err
		}
	}
	began, cpu, own := time.Now(), d.cpu(), ownCPU()
	if err := os.WriteFile(gate, []byte("\n"), 0); err != nil {
		return nil, err
	}
	var first error
	for range fanoutClients {
		if err := <-ends; err != nil && first == nil {
			first = err
		}
	}
	if first != nil {
		return nil, first
	}
	f := rates(w.name, fanoutClients*fanoutBytes, time.Since(began), d.cpu()-cpu)
	return append(f, figure{w.name + ": the clients' own CPU", "s/GiB", (ownCPU() - own).Seconds() * gib / (fanoutClients * fanoutBytes)}), nil
}

func fanouts(d *daemon) (f []figure, err error) {
	for _, w := range wires {
		if w.http2 && !d.offers("grpc") {
			continue
		}
		one, err := fanout(d, w)
		if err != nil {
			return f, err
		}
		f = append(f, one...)
	}
	return append(f, figure{"peak resident", "MiB", d.status("VmHWM")}), nil
}

func fanoutsFloor() (f []figure, err error) {
	took, cpu, err := relayed(zeros(fanoutBytes), fanoutClients, fanoutBytes)
	if err != nil {
		return nil, err
	}
	for _, w := range wires {
		f = append(f, rates(w.name, fanoutClients*fanoutBytes, took, cpu)...)
	}
	return f, nil
}

// 4. A build log

const buildLines = 200_000

var (
	buildScript = []string{"/bin/sh", "-c", fmt.Sprintf(`i=1000000; while [ $i -lt %d ]; do echo "line $i of a build log, some eighty bytes long, as compilers like to print"; i=$((i+1)); done`, 1_000_000+buildLines)}
	buildBytes  = int64(buildLines * len("line 1000000 of a build log, some eighty bytes long, as compilers like to print\n"))
)

func lineRates(lines int, took, cpu time.Duration) []figure {
	return []figure{{"lines", "/s", float64(lines) / took.Seconds()}, {"CPU per million lines", "s", cpu.Seconds() * 1e6 / float64(lines)}}
}

func buildLog(d *daemon) ([]figure, error) {
	if _, err := d.run(call{wire: connectJSON, command: []string{"/bin/true"}}); err != nil {
		return nil, err
	}
	began, cpu := time.Now(), d.cpu()
	r, err := d.run(call{wire: connectJSON, command: buildScript})
	if err == nil && r.payload != buildBytes {
		err = fmt.Errorf("%d bytes of %d", r.payload, buildBytes)
	}
	return lineRates(buildLines, time.Since(began), d.cpu()-cpu), err
}

func buildLogFloor() ([]figure, error) {
	took, cpu, err := relayed(buildScript, 1, buildBytes)
	return lineRates(buildLines, took, cpu), err
}

// 5. Commands that sleep

func sleepers(d *daemon) (f []figure, err error) {
	const n = 1000
	for range n { // what a thousand requests make resident once is a figure of its own
		if _, err := d.run(call{wire: connectJSON, command: []string{"/bin/true"}}); err != nil {
			return nil, err
		}
	}
	time.Sleep(time.Second)
	resident, threads := d.status("VmRSS"), d.status("Threads")
	pids, ends := make(chan int, n), make(chan error, n)
	slots := make(chan struct{}, 64)
	began := time.Now()
	go func() {
		for range n {
			slots <- struct{}{}
			go func() {
				_, err := d.run(call{wire: connectJSON, command: []string{"sleep", "600"}, onStart: func(pid int) { pids <- pid; <-slots }})
				ends <- err
			}()
		}
	}()
	var all []int
	for range n {
		select {
		case pid := <-pids:
			all = append(all, pid)
		case err = <-ends:
			err = fmt.Errorf("a command that sleeps ended: %w", err)
		}
		if err != nil {
			break
		}
	}
	took := time.Since(began)
	if err == nil {
		time.Sleep(time.Second) // until it is idle
		f = append(f, figure{"start of all", "s", took.Seconds()}, figure{"resident, each", "KiB", (d.status("VmRSS") - resident) * 1024 / n}, figure{"threads more", "", d.status("Threads") - threads})
		cpu := d.cpu()
		time.Sleep(3 * time.Second)
		f = append(f, figure{"CPU while all sleep", "%", (d.cpu() - cpu).Seconds() / 3 * 100})
	}
	for _, pid := range all {
		syscall.Kill(pid, syscall.SIGKILL)
	}
	if err == nil {
		for range n {
			if e := <-ends; e != nil {
				err = e
			}
		}
	}
	return f, err
}

// Text of so many equal lines, and the command that prints it.
func printed(lines int) (command []string, bytes int64) {
	line := "a line of seventy-nine characters, and its line end, as many programs print it"
	line += strings.Repeat(".", 79-len(line))
	return []string{"/bin/sh", "-c", `yes "$1" | head -n "$2"`, "sh", line, fmt.Sprint(lines)}, int64(lines) * 80
}
