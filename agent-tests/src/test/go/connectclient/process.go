package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"connectrpc.com/connect"
	"github.com/bufbuild/protocompile"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
)

// What the cases read of a ProcessEvent; protobuf's own JSON, whatever went over the wire.
type event struct {
	Start *struct {
		Pid uint32
	}
	Data *struct {
		Stdout, Stderr []byte
	}
	End *struct {
		ExitCode int
		Exited   bool
		Status   string
	}
	Keepalive *struct{}
}

// An object of protobuf's JSON mapping.
type object map[string]any

type client = connect.Client[dynamicpb.Message, dynamicpb.Message]

// The service process.Process over one protocol.
type process struct {
	methods protoreflect.MethodDescriptors
	clients map[protoreflect.Name]*client
}

func compile(schema string) (protoreflect.MethodDescriptors, error) {
	compiler := protocompile.Compiler{
		Resolver: protocompile.WithStandardImports(
			&protocompile.SourceResolver{ImportPaths: []string{schema}}),
	}
	files, err := compiler.Compile(context.Background(), "process/process.proto")
	if err != nil {
		return nil, err
	}
	service := files[0].Services().ByName("Process")
	if service == nil {
		return nil, errors.New("the schema has no service process.Process")
	}
	return service.Methods(), nil
}

func newProcess(
	http *http.Client, url string, methods protoreflect.MethodDescriptors, options []connect.ClientOption,
) *process {
	p := &process{methods, map[protoreflect.Name]*client{}}
	for i := range methods.Len() {
		method := methods.Get(i)
		all := append([]connect.ClientOption{
			connect.WithSchema(method),
			connect.WithResponseInitializer(func(_ connect.Spec, message any) error {
				*message.(*dynamicpb.Message) = *dynamicpb.NewMessage(method.Output())
				return nil
			}),
		}, options...)
		p.clients[method.Name()] = connect.NewClient[dynamicpb.Message, dynamicpb.Message](
			http, url+"/process.Process/"+string(method.Name()), all...)
	}
	return p
}

func (p *process) message(method protoreflect.Name, fields object) (*dynamicpb.Message, error) {
	text, err := json.Marshal(fields)
	if err != nil {
		return nil, err
	}
	message := dynamicpb.NewMessage(p.methods.ByName(method).Input())
	return message, protojson.Unmarshal(text, message)
}

// A unary call.
func (p *process) call(ctx context.Context, method protoreflect.Name, fields object) (object, error) {
	message, err := p.message(method, fields)
	if err != nil {
		return nil, err
	}
	response, err := p.clients[method].CallUnary(ctx, connect.NewRequest(message))
	if err != nil {
		return nil, err
	}
	return answer(response.Msg)
}

// A call whose requests all go before its one answer.
func (p *process) stream(ctx context.Context, method protoreflect.Name, all ...object) (object, error) {
	stream := p.clients[method].CallClientStream(ctx)
	for _, fields := range all {
		message, err := p.message(method, fields)
		if err != nil {
			return nil, err
		}
		if err := stream.Send(message); err != nil {
			break // the reason comes with the answer
		}
	}
	response, err := stream.CloseAndReceive()
	if err != nil {
		return nil, err
	}
	return answer(response.Msg)
}

func answer(message *dynamicpb.Message) (object, error) {
	text, err := protojson.Marshal(message)
	if err != nil {
		return nil, err
	}
	var fields object
	return fields, json.Unmarshal(text, &fields)
}

// A Start or Connect call and what it has brought so far. Holds the call to the contract's order.
type follower struct {
	stream         *connect.ServerStreamForClient[dynamicpb.Message]
	pid            uint32
	stdout, stderr []byte
	code           int
	status         string
	ended          bool
}

// Begins to follow and waits for the start event.
func (p *process) follow(ctx context.Context, method protoreflect.Name, fields object) (*follower, error) {
	message, err := p.message(method, fields)
	if err != nil {
		return nil, err
	}
	stream, err := p.clients[method].CallServerStream(ctx, connect.NewRequest(message))
	if err != nil {
		return nil, err
	}
	f := &follower{stream: stream}
	for f.pid == 0 {
		if more, err := f.next(); err != nil {
			return nil, errors.Join(err, stream.Close())
		} else if !more {
			return nil, errors.Join(errors.New("no start event"), stream.Close())
		}
	}
	return f, nil
}

func (f *follower) next() (bool, error) {
	if !f.stream.Receive() {
		return false, f.stream.Err()
	}
	text, err := protojson.Marshal(f.stream.Msg())
	if err != nil {
		return false, err
	}
	var message struct{ Event event }
	if err := json.Unmarshal(text, &message); err != nil {
		return false, err
	}
	e := message.Event
	switch {
	case f.ended:
		return false, fmt.Errorf("an event after the end: %s", text)
	case (e.Start != nil) != (f.pid == 0):
		return false, fmt.Errorf("start is not first and once: %s", text)
	case e.Start != nil:
		f.pid = e.Start.Pid
	case e.Data != nil:
		f.stdout = append(f.stdout, e.Data.Stdout...)
		f.stderr = append(f.stderr, e.Data.Stderr...)
	case e.End != nil:
		f.ended, f.code, f.status = true, e.End.ExitCode, e.End.Status
	case e.Keepalive == nil:
		return false, fmt.Errorf("an event that is none: %s", text)
	}
	return true, nil
}

// Reads to the end of the call, which must be a good one.
func (f *follower) end() error {
	for {
		more, err := f.next()
		if err != nil {
			return errors.Join(err, f.stream.Close())
		}
		if !more {
			break
		}
	}
	if !f.ended {
		return errors.Join(errors.New("the call ended without an end event"), f.stream.Close())
	}
	return f.stream.Close()
}
