package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

type wire struct {
	name, contentType string
	json, http2       bool
}

var (
	connectJSON   = wire{"Connect JSON", "application/connect+json", true, false}
	connectBinary = wire{"Connect binary", "application/connect+proto", false, false}
	grpc          = wire{"gRPC", "application/grpc", false, true}
	wires         = []wire{connectJSON, connectBinary, grpc}
)

// A call of Start, or of Connect where there is a pid.
type call struct {
	wire    wire
	command []string
	pid     int
	client  *http.Client // one of its own, else the daemon's
	onStart func(pid int)
	onData  func([]byte)
}

type result struct {
	pid          int
	toPid, toEnd time.Duration // since the request
	payload      int64
}

func (c call) encode() (method string, message []byte) {
	switch {
	case c.pid != 0 && c.wire.json:
		return "/process.Process/Connect", fmt.Appendf(nil, `{"process":{"pid":%d}}`, c.pid)
	case c.pid != 0:
		return "/process.Process/Connect", field(1, binary.AppendUvarint([]byte{1 << 3}, uint64(c.pid)))
	case c.wire.json:
		b, _ := json.Marshal(map[string]any{"process": map[string]any{"cmd": c.command[0], "args": c.command[1:]}, "stdin": false})
		return "/process.Process/Start", b
	}
	process := field(1, []byte(c.command[0]))
	for _, a := range c.command[1:] {
		process = append(process, field(2, []byte(a))...)
	}
	return "/process.Process/Start", append(field(1, process), 4<<3, 0)
}

// One protobuf field of bytes.
func field(number int, b []byte) []byte {
	out := binary.AppendUvarint(nil, uint64(number<<3|2))
	out = binary.AppendUvarint(out, uint64(len(b)))
	return append(out, b...)
}

// Runs a call to its end, for two minutes at most. Output is counted, and only decoded for who wants it: base64 by its length.
func (d *daemon) run(c call) (r result, err error) {
	method, message := c.encode()
	began := time.Now()
	client := c.client
	if client == nil {
		client = d.client(c.wire)
	}
	err = d.stream(client, c.wire, method, message, func(b []byte) error {
		kind, data := event(b, c.wire.json)
		switch kind {
		case startEvent:
			r.toPid = time.Since(began)
			r.pid = pidOf(data, c.wire.json)
			if c.onStart != nil {
				c.onStart(r.pid)
			}
		case dataEvent:
			if c.wire.json && c.onData == nil {
				r.payload += int64(base64.StdEncoding.DecodedLen(len(data)) - bytes.Count(data[max(0, len(data)-2):], []byte("=")))
				return nil
			}
			if c.wire.json {
				decoded, err := base64.StdEncoding.AppendDecode(nil, data)
				if err != nil {
					return err
				}
				data = decoded
			}
			r.payload += int64(len(data))
			if c.onData != nil {
				c.onData(data)
			}
		case endEvent:
			r.toEnd = time.Since(began)
		}
		return nil
	})
	if err == nil && r.toEnd == 0 {
		err = errors.New("the answer ended without an end")
	}
	if err != nil {
		err = fmt.Errorf("%s after %d bytes: %w", c.wire.name, r.payload, err)
	}
	return r, err
}

func (d *daemon) client(w wire) *http.Client {
	if w.http2 {
		return d.clients[1]
	}
	return d.clients[0]
}

// Calls a method that answers with messages. Returns when the protocol says that the answer is whole; a message is
// there until `each` returns.
func (d *daemon) stream(client *http.Client, w wire, method string, message []byte, each func([]byte) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	body := binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message)))
	req, err := http.NewRequestWithContext(ctx, "POST", d.url(method), bytes.NewReader(append(body, message...)))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", w.contentType)
	req.Header.Set("Authorization", authorization)
	if w.http2 {
		req.Header.Set("Te", "trailers")
	} else {
		req.Header.Set("Connect-Protocol-Version", "1")
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != 200 {
		return errors.New(resp.Status)
	}
	in := bufio.NewReaderSize(resp.Body, 256<<10)
	var head [5]byte
	var buf []byte
	for {
		if _, err := io.ReadFull(in, head[:]); err == io.EOF && w.http2 {
			if status := resp.Trailer.Get("Grpc-Status"); status != "0" {
				return fmt.Errorf("grpc-status %q: %s", status, resp.Trailer.Get("Grpc-Message"))
			}
			return nil
		} else if err != nil {
			return err
		}
		n := int(binary.BigEndian.Uint32(head[1:]))
		if cap(buf) < n {
			buf = make([]byte, n)
		}
		buf = buf[:n]
		if _, err := io.ReadFull(in, buf); err != nil {
			return err
		}
		if head[0]&2 != 0 {
			if bytes.Contains(buf, []byte(`"error"`)) {
				return fmt.Errorf("%s", buf)
			}
			_, err := io.Copy(io.Discard, in) // so that the connection can be used again
			return err
		}
		if err := each(buf); err != nil {
			return err
		}
	}
}

const (
	startEvent = 1
	dataEvent  = 2
	endEvent   = 3
)

// The kind of an event, and what is in it: output, or what pidOf reads.
func event(b []byte, isJSON bool) (int, []byte) {
	if isJSON {
		head := b[:min(len(b), 64)]
		switch {
		case bytes.Contains(head, []byte(`"data"`)):
			if i := bytes.Index(head, []byte(`"stdout":"`)); i >= 0 {
				rest := b[i+len(`"stdout":"`):]
				if end := bytes.LastIndexByte(rest, '"'); end >= 0 {
					return dataEvent, rest[:end]
				}
			}
		case bytes.Contains(head, []byte(`"start"`)):
			return startEvent, b
		case bytes.Contains(head, []byte(`"end"`)):
			return endEvent, b
		}
		return 0, nil
	}
	_, b = unwrap(b) // StartResponse, ConnectResponse: its only field is the event
	kind, b := unwrap(b)
	if kind == dataEvent {
		_, b = unwrap(b)
	}
	return kind, b
}

// The first field of a message, which must be of bytes.
func unwrap(b []byte) (int, []byte) {
	tag, n := binary.Uvarint(b)
	size, m := binary.Uvarint(b[max(0, n):])
	if n <= 0 || m <= 0 || uint64(n+m)+size > uint64(len(b)) {
		return 0, nil
	}
	return int(tag >> 3), b[n+m : n+m+int(size)]
}

func pidOf(b []byte, isJSON bool) int {
	if isJSON {
		var m struct {
			Event struct{ Start struct{ Pid int } }
		}
		json.Unmarshal(b, &m)
		return m.Event.Start.Pid
	}
	_, n := binary.Uvarint(b)
	pid, _ := binary.Uvarint(b[max(0, n):])
	return int(pid)
}

// The last field of that number, which must be of bytes.
func lastField(b []byte, number int) (value []byte) {
	for len(b) > 0 {
		tag, n := binary.Uvarint(b)
		switch {
		case n <= 0:
			return nil
		case tag&7 == 2:
			size, m := binary.Uvarint(b[n:])
			if m <= 0 || uint64(n+m)+size > uint64(len(b)) {
				return nil
			}
			if int(tag>>3) == number {
				value = b[n+m : n+m+int(size)]
			}
			b = b[n+m+int(size):]
		case tag&7 == 0:
			_, m := binary.Uvarint(b[n:])
			if m <= 0 {
				return nil
			}
			b = b[n+m:]
		default:
			return nil
		}
	}
	return value
}
