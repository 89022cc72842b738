"""Runs the cases with one flavour of the package: `python run.py sync|async [part of a name]`.

Prints one JSON object per case, for a program that reads along: {"file", "name", "ok", "skipped", "millis", "error"}.
Cases are independent, and some run at a time: most of what they do is waiting.
"""

import asyncio
import concurrent.futures
import importlib
import inspect
import json
import os
import sys
import time
import traceback
import warnings

from sdk import PATIENCE_SECONDS, Sdk, Skipped

AT_ONCE = 6
LIMIT_SECONDS = 2 * PATIENCE_SECONDS
FILES = ["commands", "terminals", "files", "watching", "repositories", "access"]


def cases(part):
    for file in FILES:
        module = importlib.import_module(f"cases_{file}")
        for name, function in vars(module).items():
            if name.startswith("test_") and inspect.iscoroutinefunction(function) and part in name:
                yield file, name.removeprefix("test_").replace("_", " "), function


async def attempt(sdk, file, name, case):
    started = time.monotonic()
    skipped = error = ""
    try:
        await asyncio.wait_for(case(sdk), LIMIT_SECONDS)
    except Skipped as reason:
        skipped = str(reason)
    except Exception:
        error = traceback.format_exc()
    millis = round((time.monotonic() - started) * 1000)
    line = {"file": file, "name": name, "ok": not error, "skipped": skipped, "millis": millis, "error": error}
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


async def run_async(chosen):
    sdk = await Sdk.create(is_async=True)
    free = asyncio.Semaphore(AT_ONCE)

    async def one(case):
        async with free:
            await attempt(sdk, *case)

    await asyncio.gather(*(one(case) for case in chosen))


def run_sync(chosen):
    sdk = asyncio.run(Sdk.create(is_async=False))
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as threads:
        list(threads.map(lambda case: asyncio.run(attempt(sdk, *case)), chosen))


def main():
    # The package announces that some of its own parts will go; they are tested while they are there.
    warnings.simplefilter("ignore", DeprecationWarning)
    flavour, part = sys.argv[1], " ".join(sys.argv[2:])
    chosen = list(cases(part))
    if flavour == "async":
        asyncio.run(run_async(chosen))
    else:
        run_sync(chosen)
    # Threads that follow something which never ends must not hold the program.
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
