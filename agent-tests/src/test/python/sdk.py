"""Both flavours of the published package behind one way to call them, so that each case is written once.

A case is `async def` and awaits every call. With the asynchronous flavour that is what it says; with the synchronous one
the call blocks the thread that the case has for itself, and what is awaited is there already.
"""

import asyncio
import codecs
import inspect
import os
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import e2b

PATIENCE_SECONDS = 30

SECURED = "E2B_API_URL" in os.environ
"""Whether the agent asks for an access token."""

OTHER_USER = os.environ.get("SANDPIPER_TEST_USER") or None
"""A second account of the agent's machine, if there is one and the agent may switch to it."""

_HANDLES = (e2b.CommandHandle, e2b.AsyncCommandHandle)


class Skipped(Exception):
    """A case that cannot be run here; says why."""


class Calls:
    """An object of either flavour, each of whose methods is awaited."""

    def __init__(self, target):
        self._target = target

    def __getattr__(self, name):
        attribute = getattr(self._target, name)
        if not callable(attribute):
            return attribute

        async def call(*arguments, **options):
            result = attribute(*arguments, **options)
            if inspect.isawaitable(result):
                result = await result
            return Calls(result) if isinstance(result, _HANDLES) else result

        return call


def place():
    """A fresh directory on the agent's machine, which is this one, that every user may write to."""
    path = tempfile.mkdtemp(prefix="case-", dir=os.environ.get("SANDPIPER_TEST_DIRECTORY"))
    os.chmod(path, 0o777)
    return path


async def until(condition, what):
    """Waits until something is true and gives it."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited in vain for {what() if callable(what) else what}")
        await asyncio.sleep(0.005)
    return value


class Running:
    """A command or terminal that is being followed, and all that it has printed so far."""

    def __init__(self):
        self.out = ""
        self.err = ""
        self.pty = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.handle = None
        self._result = None
        self._error = None
        self._done = threading.Event()

    def on_stdout(self, text):
        self.out += text

    def on_stderr(self, text):
        self.err += text

    def on_pty(self, data):
        self.pty += self._decoder.decode(bytes(data))

    @property
    def pid(self):
        return self.handle.pid

    def follow_in_thread(self, handle):
        def follow():
            try:
                self._result = handle.wait(
                    on_pty=self.on_pty, on_stdout=self.on_stdout, on_stderr=self.on_stderr
                )
            except Exception as error:
                self._error = error
            self._done.set()

        threading.Thread(target=follow, daemon=True).start()

    async def saw(self, text):
        """Waits until the text has been printed on any of the streams."""

        def printed():
            return text in self.out or text in self.err or text in self.pty

        await until(printed, lambda: f"{text!r} in {self.out!r} {self.err!r} {self.pty!r}")

    async def end(self):
        """Waits for the end; raises what the package raises."""
        if isinstance(self.handle, e2b.AsyncCommandHandle):
            return await asyncio.wait_for(self.handle.wait(), PATIENCE_SECONDS)
        assert self._done.wait(PATIENCE_SECONDS), "no end"
        if self._error is not None:
            raise self._error
        return self._result


class Watching:
    """What a watch of a directory has reported so far."""

    def __init__(self):
        self.events = []
        self.exits = []
        self.handle = None

    def poll(self):
        if isinstance(self.handle, e2b.WatchHandle):
            self.events.extend(self.handle.get_new_events())

    async def saw(self, kind, name):
        def found():
            self.poll()
            return next((it for it in self.events if (it.type.value, it.name) == (kind, name)), None)

        return await until(found, lambda: f"{kind} of {name} among {self.events}")

    async def stop(self):
        result = self.handle.stop()
        if inspect.isawaitable(result):
            await result


class Sdk:
    """One sandbox of one flavour."""

    def __init__(self, sandbox, is_async):
        self.is_async = is_async
        self.raw = sandbox
        self.sandbox = Calls(sandbox)
        self.files = Calls(sandbox.files)
        self.commands = Calls(sandbox.commands)
        self.pty = Calls(sandbox.pty)
        self.git = Calls(sandbox.git)

    @staticmethod
    async def create(is_async):
        package = e2b.AsyncSandbox if is_async else e2b.Sandbox
        options = {"debug": not SECURED, "envs": {"FROM_CREATE": "as asked"}}
        return Sdk((await Calls(package).create(**options)), is_async)

    def with_token(self, token):
        """The sandbox as somebody knows it who has another token, or none."""
        headers = {"E2b-Sandbox-Id": self.raw.sandbox_id, "E2b-Sandbox-Port": "49983"}
        if token is not None:
            headers["X-Access-Token"] = token
        stranger = type(self.raw)(
            sandbox_id=self.raw.sandbox_id,
            sandbox_domain=None,
            envd_version=self.raw._envd_version,
            envd_access_token=token,
            traffic_access_token=None,
            connection_config=e2b.ConnectionConfig(extra_sandbox_headers=headers, debug=True),
        )
        return Sdk(stranger, self.is_async)

    async def start(self, command, **options):
        """Starts a command and follows it from its first byte."""
        running = Running()
        if self.is_async:
            options |= {"on_stdout": running.on_stdout, "on_stderr": running.on_stderr}
        handle = await self.commands.run(command, background=True, **options)
        return self._follow(running, handle)

    async def connect(self, pid, **options):
        running = Running()
        if self.is_async:
            options |= {"on_stdout": running.on_stdout, "on_stderr": running.on_stderr}
        return self._follow(running, await self.commands.connect(pid, **options))

    async def terminal(self, cols=80, rows=24, **options):
        running = Running()
        if self.is_async:
            options["on_data"] = running.on_pty
        handle = await self.pty.create(size=e2b.PtySize(rows=rows, cols=cols), **options)
        return self._follow(running, handle)

    async def connect_terminal(self, pid, **options):
        running = Running()
        if self.is_async:
            options["on_data"] = running.on_pty
        return self._follow(running, await self.pty.connect(pid, **options))

    def _follow(self, running, handle):
        running.handle = handle._target
        if not self.is_async:
            running.follow_in_thread(running.handle)
        return running

    async def watch(self, path, **options):
        watching = Watching()
        if self.is_async:
            options |= {"on_event": watching.events.append, "on_exit": watching.exits.append}
        watching.handle = await self.files.watch_dir(path, **options)
        return watching

    async def chunks(self, stream):
        """All bytes of a streamed download."""
        if self.is_async:
            return b"".join([bytes(part) async for part in stream])
        return b"".join(bytes(part) for part in stream)

    def pieces(self, parts):
        """A body of an upload that is made while it is sent."""
        if not self.is_async:
            return (part for part in parts)

        async def make():
            for part in parts:
                yield part

        return make()

    async def stream_input(self, pid, parts, terminal=False):
        target = self.raw.pty if terminal else self.raw.commands
        if not self.is_async:
            target.stream_input(pid, parts)
            return
        async with target.stream_input(pid) as handle:
            for part in parts:
                await handle.send(part)

    async def together(self, calls):
        """Runs them all at once and gives what they gave."""
        if self.is_async:
            return await asyncio.gather(*(call() for call in calls))
        with ThreadPoolExecutor(16) as threads:
            return list(threads.map(lambda call: asyncio.run(call()), calls))


def raises(kind, saying=None):
    """The statement in its block must raise that kind of error; gives the error afterwards."""
    return _Raises(kind, saying)


class _Raises:
    def __init__(self, kind, saying):
        self._kind = kind
        self._saying = saying
        self.error = None

    def __enter__(self):
        return self

    def __exit__(self, kind, error, _):
        assert error is not None, f"expected {self._kind.__name__}, nothing was raised"
        if not isinstance(error, self._kind):
            return False
        if self._saying is not None:
            assert self._saying in str(error), f"{self._saying!r} not in {error!r}"
        self.error = error
        return True
