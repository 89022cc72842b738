"""`sandbox.commands`."""

import time

from e2b import (
    CommandExitException,
    InvalidArgumentException,
    NotFoundException,
    SandboxException,
    TimeoutException,
)

from sdk import OTHER_USER, Skipped, place, raises, until

UNKNOWN_PID = 4_000_000


async def there(sdk, pid):
    try:
        await sdk.commands.run(f"kill -0 {pid}")
        return True
    except CommandExitException:
        return False


async def test_run_gives_stdout_stderr_and_exit_code(sdk):
    result = await sdk.commands.run("echo out; echo err >&2")
    assert (result.stdout, result.stderr, result.exit_code) == ("out\n", "err\n", 0)
    assert result.error is None


async def test_callbacks_see_the_output_as_it_comes(sdk):
    out, err = [], []
    await sdk.commands.run("echo one; echo two >&2; echo three", on_stdout=out.append, on_stderr=err.append)
    assert "".join(out) == "one\nthree\n"
    assert "".join(err) == "two\n"


async def test_a_command_that_fails_raises_with_all_it_printed(sdk):
    with raises(CommandExitException) as caught:
        await sdk.commands.run("echo gone; echo wrong >&2; exit 42")
    error = caught.error
    assert (error.exit_code, error.stdout, error.stderr, error.error) == (42, "gone\n", "wrong\n", "exit status 42")


async def test_a_command_that_the_shell_does_not_find_exits_127(sdk):
    with raises(CommandExitException) as caught:
        await sdk.commands.run("no-such-command-at-all")
    assert caught.error.exit_code == 127


async def test_background_and_wait(sdk):
    running = await sdk.start("echo hello")
    assert running.pid > 0
    assert (await running.end()).stdout == "hello\n"


async def test_send_stdin_and_close_stdin_feed_a_command(sdk):
    running = await sdk.start("cat; echo end", stdin=True)
    await sdk.commands.send_stdin(running.pid, "Hello, ")
    await sdk.commands.send_stdin(running.pid, "")
    await sdk.commands.send_stdin(running.pid, "Wörld\n".encode())
    await sdk.commands.close_stdin(running.pid)
    assert (await running.end()).stdout == "Hello, Wörld\nend\n"


async def test_a_handle_feeds_its_own_command(sdk):
    handle = await sdk.commands.run("cat", background=True, stdin=True)
    await handle.send_stdin("to you\n")
    await handle.close_stdin()
    assert (await handle.wait()).stdout == "to you\n"


async def test_a_stream_of_input_arrives_whole_and_in_order(sdk):
    running = await sdk.start("sha256sum; echo end", stdin=True)
    await sdk.stream_input(running.pid, ["first ", "second ", b"\x00\xff", "x" * 200_000])
    await sdk.commands.close_stdin(running.pid)
    import hashlib

    expected = hashlib.sha256(b"first second \x00\xff" + b"x" * 200_000).hexdigest()
    assert (await running.end()).stdout == f"{expected}  -\nend\n"


async def test_a_stream_of_input_to_an_unknown_process_raises_not_found(sdk):
    with raises(NotFoundException):
        await sdk.stream_input(UNKNOWN_PID, ["x"])


async def test_without_stdin_a_command_reads_end_of_file_at_once(sdk):
    assert (await sdk.commands.run("cat; read x || echo none")).stdout == "none\n"


async def test_kill_is_true_and_the_process_is_gone_when_wait_has_raised(sdk):
    running = await sdk.start("sleep 600")
    assert await there(sdk, running.pid)
    assert await sdk.commands.kill(running.pid) is True
    with raises(CommandExitException) as caught:
        await running.end()
    assert (caught.error.exit_code, caught.error.error) == (-1, "signal: killed")
    assert not await there(sdk, running.pid)


async def test_kill_of_an_unknown_or_ended_process_is_false(sdk):
    assert await sdk.commands.kill(UNKNOWN_PID) is False
    handle = await sdk.commands.run("true", background=True)
    await handle.wait()
    assert await handle.kill() is False


async def test_killing_one_process_leaves_the_others(sdk):
    one, two = await sdk.start("sleep 600"), await sdk.start("cat", stdin=True)
    await sdk.commands.kill(one.pid)
    await sdk.commands.send_stdin(two.pid, "still here\n")
    await sdk.commands.close_stdin(two.pid)
    assert (await two.end()).stdout == "still here\n"


async def test_list_shows_what_runs_with_what_it_was_started_with(sdk):
    running = await sdk.start("sleep 601", envs={"A": "1"}, cwd="/tmp")
    found = next(it for it in await sdk.commands.list() if it.pid == running.pid)
    assert (found.cmd, found.args, found.envs, found.cwd) == ("/bin/bash", ["-l", "-c", "sleep 601"], {"A": "1"}, "/tmp")
    assert found.tag is None
    await sdk.commands.kill(running.pid)
    with raises(CommandExitException):
        await running.end()
    assert all(it.pid != running.pid for it in await sdk.commands.list())


async def test_disconnect_leaves_the_process_and_connect_follows_it_on(sdk):
    handle = await sdk.commands.run('read line; echo "got $line"', background=True, stdin=True)
    await handle.disconnect()
    again = await sdk.connect(handle.pid)
    assert again.pid == handle.pid
    await sdk.commands.send_stdin(handle.pid, "later\n")
    assert (await again.end()).stdout == "got later\n"
    assert all(it.pid != handle.pid for it in await sdk.commands.list())


async def test_two_clients_follow_one_process(sdk):
    one = await sdk.start('read line; echo "both $line"', stdin=True)
    two = await sdk.connect(one.pid)
    await sdk.commands.send_stdin(one.pid, "see\n")
    assert (await one.end()).stdout == "both see\n"
    assert (await two.end()).stdout == "both see\n"


async def test_connect_to_an_unknown_process_raises_not_found(sdk):
    with raises(NotFoundException):
        await sdk.commands.connect(UNKNOWN_PID)


async def test_a_timeout_raises_timeout_and_ends_the_process(sdk):
    running = await sdk.start("sleep 600", timeout=1)
    with raises(TimeoutException) as caught:
        await running.end()
    assert not isinstance(caught.error, CommandExitException)
    deadline = time.monotonic() + 20
    while await there(sdk, running.pid):
        assert time.monotonic() < deadline, "still there"


async def test_environment_variables_of_the_call_reach_the_command(sdk):
    result = await sdk.commands.run('echo "$COLOUR"', envs={"COLOUR": "blue with space"})
    assert result.stdout == "blue with space\n"


async def test_a_command_starts_in_the_given_directory(sdk):
    assert (await sdk.commands.run("pwd", cwd="/usr/bin")).stdout == "/usr/bin\n"


async def test_a_directory_that_is_missing_is_an_error_that_names_it(sdk):
    with raises(InvalidArgumentException, "/no/such/directory"):
        await sdk.commands.run("pwd", cwd="/no/such/directory")


async def test_a_directory_that_was_removed_is_an_error(sdk):
    gone = place() + "/gone"
    await sdk.commands.run(f"mkdir {gone} && rmdir {gone}")
    with raises(SandboxException):
        await sdk.commands.run("pwd", cwd=gone)


async def test_a_command_runs_as_the_given_user(sdk):
    if OTHER_USER is None:
        raise Skipped("needs root and a second account")
    result = await sdk.commands.run("whoami; echo ~; pwd", user=OTHER_USER)
    assert result.stdout == f"{OTHER_USER}\n/home/{OTHER_USER}\n/home/{OTHER_USER}\n"


async def test_a_character_that_comes_in_two_pieces_stays_whole(sdk):
    running = await sdk.start(
        r"printf '\xe2\x82'; echo ready >&2; read line; printf '\xac \xf0\x9f'; echo more >&2; read line; printf '\x90\xa6\n'",
        stdin=True,
    )
    await running.saw("ready")
    await sdk.commands.send_stdin(running.pid, "\n")
    await running.saw("more")
    await sdk.commands.send_stdin(running.pid, "\n")
    assert (await running.end()).stdout == "€ 🐦\n"


async def test_bytes_that_are_no_text_become_replacement_characters(sdk):
    result = await sdk.commands.run(r"printf 'a\xffb\xe2'")
    assert result.stdout == "a\ufffdb\ufffd"


async def test_megabytes_arrive_whole_and_in_order(sdk):
    result = await sdk.commands.run("seq 1 300000")
    assert result.stdout == "".join(f"{i}\n" for i in range(1, 300_001))


async def test_fifty_commands_at_once(sdk):
    def echo(i):
        return lambda: sdk.commands.run(f"echo {i}")

    results = await sdk.together([echo(i) for i in range(50)])
    assert [it.stdout for it in results] == [f"{i}\n" for i in range(50)]


async def test_output_need_not_be_kept(sdk):
    out = []
    result = await sdk.commands.run("echo seen", on_stdout=out.append, retain_output=False)
    assert "".join(out) == "seen\n"
    assert result.exit_code == 0
