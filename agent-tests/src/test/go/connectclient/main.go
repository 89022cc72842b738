// Runs Start and what belongs to it through the published connect-go client, over each protocol that it speaks, and
// prints one JSON object a case: {"name":…,"error":…}, with an empty error where it went well.
//
//	go run . -schema ../../../../../proto/src/main/protobuf -url http://127.0.0.1:49983
//
// The messages are dynamic, after the schema as it is in the repository, so that nothing has to be generated.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"time"

	"connectrpc.com/connect"
)

// A protocol of connect-go on one version of HTTP, with one codec.
type protocol struct {
	name    string
	http2   bool
	options []connect.ClientOption
}

var protocols = []protocol{
	{"Connect, binary, HTTP/1.1", false, nil},
	{"Connect, binary, HTTP/2", true, nil},
	{"Connect, JSON, HTTP/1.1", false, []connect.ClientOption{connect.WithProtoJSON()}},
	{"Connect, JSON, HTTP/2", true, []connect.ClientOption{connect.WithProtoJSON()}},
	{"gRPC, binary, HTTP/2", true, []connect.ClientOption{connect.WithGRPC()}},
	{"gRPC, JSON, HTTP/2", true, []connect.ClientOption{connect.WithGRPC(), connect.WithProtoJSON()}},
	{"gRPC-Web, binary, HTTP/1.1", false, []connect.ClientOption{connect.WithGRPCWeb()}},
	{"gRPC-Web, binary, HTTP/2", true, []connect.ClientOption{connect.WithGRPCWeb()}},
	{"gRPC-Web, JSON, HTTP/1.1", false, []connect.ClientOption{connect.WithGRPCWeb(), connect.WithProtoJSON()}},
}

// Longer than any case takes, and far below what the caller waits for all of them.
const patience = 20 * time.Second

func main() {
	schema := flag.String("schema", "", "directory of process/process.proto")
	url := flag.String("url", "http://127.0.0.1:49983", "where the agent is")
	flag.Parse()
	methods, err := compile(*schema)
	if err != nil {
		log.Fatal(err)
	}
	out := json.NewEncoder(os.Stdout)
	for _, p := range protocols {
		transport := &http.Transport{Protocols: new(http.Protocols)}
		transport.Protocols.SetHTTP1(!p.http2)
		transport.Protocols.SetUnencryptedHTTP2(p.http2)
		process := newProcess(&http.Client{Transport: transport}, *url, methods, p.options)
		for _, c := range cases {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			result := map[string]string{"name": p.name + ": " + c.name, "error": ""}
			if err := run(ctx, c, process); err != nil {
				result["error"] = err.Error()
			}
			cancel()
			if err := out.Encode(result); err != nil {
				log.Fatal(err)
			}
		}
		transport.CloseIdleConnections()
	}
}

// A panic is a failure of its case, not of those after it.
func run(ctx context.Context, c testCase, process *process) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return c.check(ctx, process)
}
