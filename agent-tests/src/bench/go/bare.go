package main

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// The yardstick: a server on net/http that spawns, reads and writes, and does nothing else. No log, no second reader, no users, no
// limits. It is no product, but it moves with the machine and the day, so ratios to it can be compared between runs.
func bare(port string) error {
	routes := http.NewServeMux()
	routes.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) })
	routes.HandleFunc("POST /process.Process/Start", bareStart)
	bareFiles(routes)
	server := http.Server{Addr: "127.0.0.1:" + port, Handler: routes, Protocols: new(http.Protocols)}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetUnencryptedHTTP2(true)
	return server.ListenAndServe()
}

func bareCommand(message []byte, isJSON bool) []string {
	if isJSON {
		var m struct {
			Process struct {
				Cmd  string
				Args []string
			}
		}
		json.Unmarshal(message, &m)
		return append([]string{m.Process.Cmd}, m.Process.Args...)
	}
	var command []string
	_, process := unwrap(message)
	for len(process) > 0 {
		_, value := unwrap(process)
		command = append(command, string(value))
		process = process[len(field(1, value)):]
	}
	return command
}

// An answer of messages; every one is flushed.
type bareAnswer struct {
	w       http.ResponseWriter
	flusher http.Flusher
	isJSON  bool
}

func (a bareAnswer) send(flags byte, head []byte, rest ...byte) {
	var prefix [5]byte
	prefix[0] = flags
	binary.BigEndian.PutUint32(prefix[1:], uint32(len(head)+len(rest)))
	a.w.Write(prefix[:])
	a.w.Write(head)
	a.w.Write(rest)
	a.flusher.Flush()
}

func (a bareAnswer) data(b, scratch []byte) []byte {
	if a.isJSON {
		scratch = append(scratch[:0], `{"event":{"data":{"stdout":"`...)
		scratch = append(base64.StdEncoding.AppendEncode(scratch, b), `"}}}`...)
		a.send(0, scratch)
		return scratch
	}
	inner := binary.AppendUvarint([]byte{1<<3 | 2}, uint64(len(b)))
	middle := binary.AppendUvarint([]byte{2<<3 | 2}, uint64(len(inner)+len(b)))
	outer := binary.AppendUvarint([]byte{1<<3 | 2}, uint64(len(middle)+len(inner)+len(b)))
	a.send(0, append(append(outer, middle...), inner...), b...)
	return scratch
}

func bareStart(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	contentType := req.Header.Get("Content-Type")
	isJSON, isGRPC := strings.HasSuffix(contentType, "json"), strings.HasPrefix(contentType, "application/grpc")
	if err != nil || len(body) < 5 {
		http.Error(w, "no message", 400)
		return
	}
	w.Header().Set("Content-Type", contentType)
	if isGRPC {
		w.Header().Set("Trailer", "Grpc-Status")
	}
	a := bareAnswer{w, w.(http.Flusher), isJSON}
	command := bareCommand(body[5:], isJSON)
	program := exec.Command(command[0], command[1:]...)
	out, in, err := os.Pipe()
	if err != nil {
		http.Error(w, err.Error(), 500)
		return
	}
	widen(in)
	program.Stdout, program.Stderr = in, in
	err = program.Start()
	in.Close()
	if err != nil {
		http.Error(w, err.Error(), 500)
		return
	}
	pid := program.Process.Pid
	if isJSON {
		a.send(0, []byte(`{"event":{"start":{"pid":`+strconv.Itoa(pid)+`}}}`))
	} else {
		a.send(0, field(1, field(1, binary.AppendUvarint([]byte{1 << 3}, uint64(pid)))))
	}
	buf, scratch := make([]byte, 32<<10), make([]byte, 0, 64<<10)
	for {
		n, err := out.Read(buf)
		if n > 0 {
			scratch = a.data(buf[:n], scratch)
		}
		if err != nil {
			break
		}
	}
	out.Close()
	program.Wait()
	status := program.ProcessState.String()
	if isJSON {
		a.send(0, fmt.Appendf(nil, `{"event":{"end":{"exited":true,"status":%q}}}`, status))
	} else {
		a.send(0, field(1, field(3, append([]byte{2 << 3, 1}, field(3, []byte(status))...))))
	}
	if isGRPC {
		w.Header().Set("Grpc-Status", "0")
	} else {
		a.send(2, []byte("{}"))
	}
}

// Pipes of 256 KiB, as every daemon here may have them.
func widen(pipe *os.File) {
	if raw, err := pipe.SyscallConn(); err == nil {
		const setPipeSize = 1031 // F_SETPIPE_SZ
		raw.Control(func(fd uintptr) { syscall.Syscall(syscall.SYS_FCNTL, fd, setPipeSize, 256<<10) })
	}
}
