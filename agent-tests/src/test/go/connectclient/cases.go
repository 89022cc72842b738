package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"time"

	"connectrpc.com/connect"
)

type testCase struct {
	name  string
	check func(context.Context, *process) error
}

var cases = []testCase{
	{"Start runs a command to its end", runs},
	{"every byte of a long output arrives", longOutput},
	{"a stream of input reaches its command, also when half-closed at once", input},
	{"errors have their codes", errorCodes},
	{"a command that cannot be started is an error before any event", cannotStart},
	{"a deadline ends a call", deadline},
	{"a cancelled call leaves the command running", cancelled},
}

func command(stdin bool, cmd string, args ...string) object {
	return object{"process": object{"cmd": cmd, "args": args}, "stdin": stdin}
}

func byPid(pid uint32) object {
	return object{"pid": pid}
}

func same[T comparable](what string, got, want T) error {
	if got != want {
		return fmt.Errorf("%s is %v, not %v", what, got, want)
	}
	return nil
}

func hasCode(err error, want connect.Code, part string) error {
	if err == nil {
		return fmt.Errorf("no error in place of %v", want)
	}
	if connect.CodeOf(err) != want || !strings.Contains(err.Error(), part) {
		return fmt.Errorf("%v in place of %v with %q", err, want, part)
	}
	return nil
}

func runs(ctx context.Context, p *process) error {
	f, err := p.follow(ctx, "Start", command(false, "/bin/sh", "-c", "echo out; echo err >&2; exit 3"))
	if err != nil {
		return err
	}
	if err := f.end(); err != nil {
		return err
	}
	return errors.Join(
		same("stdout", string(f.stdout), "out\n"),
		same("stderr", string(f.stderr), "err\n"),
		same("the exit code", f.code, 3),
		same("the status", f.status, "exit status 3"))
}

func longOutput(ctx context.Context, p *process) error {
	const last = 500_000
	f, err := p.follow(ctx, "Start", command(false, "seq", "1", fmt.Sprint(last)))
	if err != nil {
		return err
	}
	if err := f.end(); err != nil {
		return err
	}
	var want []byte
	for i := 1; i <= last; i++ {
		want = fmt.Appendln(want, i)
	}
	return errors.Join(
		same("the length", len(f.stdout), len(want)),
		same("SHA-256", sha256.Sum256(f.stdout), sha256.Sum256(want)))
}

func input(ctx context.Context, p *process) error {
	f, err := p.follow(ctx, "Start", command(true, "cat"))
	if err != nil {
		return err
	}
	requests := []object{{"start": object{"process": byPid(f.pid)}}}
	for _, text := range []string{"one\n", "two\n", "three\n"} {
		requests = append(requests, object{"data": object{"input": object{"stdin": []byte(text)}}})
	}
	if _, err := p.stream(ctx, "StreamInput", requests...); err != nil {
		return err
	}
	if _, err := p.call(ctx, "CloseStdin", object{"process": byPid(f.pid)}); err != nil {
		return err
	}
	if err := f.end(); err != nil {
		return err
	}
	return same("stdout", string(f.stdout), "one\ntwo\nthree\n")
}

func errorCodes(ctx context.Context, p *process) error {
	nobody := object{"tag": "nobody is called so"}
	_, unknown := p.call(ctx, "SendSignal", object{"process": nobody, "signal": "SIGNAL_SIGKILL"})
	_, unknownStream := p.stream(ctx, "StreamInput", object{"start": object{"process": nobody}})
	_, unknownFollow := p.follow(ctx, "Connect", object{"process": nobody})
	_, invalid := p.stream(ctx, "StreamInput", object{"data": object{"input": object{"stdin": ""}}})
	return errors.Join(
		hasCode(unknown, connect.CodeNotFound, "process with tag nobody is called so not found"),
		hasCode(unknownStream, connect.CodeNotFound, "not found"),
		hasCode(unknownFollow, connect.CodeNotFound, "not found"),
		hasCode(invalid, connect.CodeInvalidArgument, ""))
}

func cannotStart(ctx context.Context, p *process) error {
	_, err := p.follow(ctx, "Start", command(false, "no-such-command-ü"))
	return hasCode(err, connect.CodeNotFound, "no-such-command-ü")
}

// The client's own clock may be the first to tell; both say the same.
func deadline(ctx context.Context, p *process) error {
	f, err := p.follow(ctx, "Start", command(false, "sleep", "600"))
	if err != nil {
		return err
	}
	short, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
	defer cancel()
	late, err := p.follow(short, "Connect", object{"process": byPid(f.pid)})
	if err != nil {
		return err
	}
	if err := hasCode(late.end(), connect.CodeDeadlineExceeded, ""); err != nil {
		return err
	}
	return kill(ctx, p, f)
}

func cancelled(ctx context.Context, p *process) error {
	f, err := p.follow(ctx, "Start", command(false, "sleep", "600"))
	if err != nil {
		return err
	}
	leaving, leave := context.WithCancel(ctx)
	second, err := p.follow(leaving, "Connect", object{"process": byPid(f.pid)})
	leave()
	if err != nil {
		return err
	}
	if err := hasCode(second.end(), connect.CodeCanceled, ""); err != nil {
		return err
	}
	return kill(ctx, p, f)
}

// Ends a command and awaits that its follower is told.
func kill(ctx context.Context, p *process, f *follower) error {
	_, err := p.call(ctx, "SendSignal", object{"process": byPid(f.pid), "signal": "SIGNAL_SIGKILL"})
	if err != nil {
		return err
	}
	if err := f.end(); err != nil {
		return err
	}
	return same("the status", f.status, "signal: killed")
}
