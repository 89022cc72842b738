"""`sandbox.pty`."""

from e2b import CommandExitException, PtySize

from sdk import raises


async def type_into(sdk, running, text):
    await sdk.pty.send_stdin(running.pid, text.encode())


async def test_a_terminal_has_its_size_and_takes_another(sdk):
    terminal = await sdk.terminal(cols=101, rows=31)
    await type_into(sdk, terminal, "echo size=$(stty size)=\n")
    await terminal.saw("size=31 101=")
    await sdk.pty.resize(terminal.pid, PtySize(rows=22, cols=77))
    await type_into(sdk, terminal, "echo size=$(stty size)=$(tput cols)\n")
    await terminal.saw("size=22 77=77")
    await type_into(sdk, terminal, "exit\n")
    assert (await terminal.end()).exit_code == 0


async def test_a_terminal_has_the_environment_and_directory_asked_for(sdk):
    terminal = await sdk.terminal(envs={"COLOUR": "blue"}, cwd="/usr")
    await type_into(sdk, terminal, 'echo "=$COLOUR=$TERM=$LANG=$PWD="\n')
    await terminal.saw("=blue=xterm-256color=C.UTF-8=/usr=")
    await type_into(sdk, terminal, "exit 0\n")
    await terminal.end()


async def test_exit_gives_the_exit_code(sdk):
    terminal = await sdk.terminal()
    await type_into(sdk, terminal, "exit 7\n")
    with raises(CommandExitException) as caught:
        await terminal.end()
    assert caught.error.exit_code == 7


async def test_control_c_stops_the_foreground_program_not_the_shell(sdk):
    terminal = await sdk.terminal()
    # What is printed comes from the foreground program: one that the shell is about to start might miss the key.
    await type_into(sdk, terminal, "sh -c 'echo run\"\"ning; exec sleep 600'\n")
    await terminal.saw("running\r")
    await type_into(sdk, terminal, "\x03")
    await type_into(sdk, terminal, "echo code=$?=\n")
    await terminal.saw("code=130=")
    await type_into(sdk, terminal, "exit 0\n")
    assert (await terminal.end()).exit_code == 0


async def test_a_stream_of_input_is_typed(sdk):
    terminal = await sdk.terminal()
    await sdk.stream_input(terminal.pid, ["echo one", "=two\n", b"exit 0\n"], terminal=True)
    assert (await terminal.end()).exit_code == 0
    assert "one=two\r\n" in terminal.pty


async def test_kill_is_true_and_of_an_unknown_terminal_false(sdk):
    terminal = await sdk.terminal()
    assert await sdk.pty.kill(terminal.pid) is True
    with raises(CommandExitException):
        await terminal.end()
    assert await sdk.pty.kill(terminal.pid) is False
    assert await sdk.pty.kill(4_000_000) is False


async def test_a_terminal_outlives_its_client_and_is_followed_on(sdk):
    size = PtySize(rows=24, cols=80)
    options = {"on_data": lambda _: None} if sdk.is_async else {}
    handle = await sdk.pty.create(size=size, **options)
    await sdk.pty.send_stdin(handle.pid, b"WORD=remembered\n")
    await handle.disconnect()
    assert any(it.pid == handle.pid for it in await sdk.commands.list())
    again = await sdk.connect_terminal(handle.pid)
    assert again.pid == handle.pid
    await type_into(sdk, again, 'echo "it is $WORD"\n')
    await again.saw("it is remembered")
    await type_into(sdk, again, "exit 0\n")
    assert (await again.end()).exit_code == 0
