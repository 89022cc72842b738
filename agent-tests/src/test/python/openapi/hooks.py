"""What keeps generated requests from harming the machine, and makes some of them find something.

Every answer is judged by the description; nothing here looks at answers. What is changed in requests:

- a start whose command is a text runs `true` or `echo`, or a name that does not exist;
- paths of files are below a directory of the test's own, whatever was generated;
- `POST /init` carries no certificates, which would go to the machine's trust store;
- every other process id is one that exists, and every other sandbox id the sandbox's;
- nobody follows the log of the whole sandbox, which never ends.
"""

import json
import os
import random
import urllib.request
from urllib.error import HTTPError

import schemathesis

DIRECTORY = os.environ["SANDPIPER_TEST_DIRECTORY"]
URL = os.environ["SANDPIPER_TEST_URL"]
COMMANDS = ["true", "echo", "/nowhere/command"]


def below(path):
    """A path below the directory: existing ones and new ones."""
    name = "".join(c if c.isalnum() else "_" for c in str(path))[:40]
    return os.path.join(DIRECTORY, random.choice(["there.txt", "there.txt", name or "empty"]))


def known_ids():
    try:
        with urllib.request.urlopen(URL + "/v1/process", timeout=30) as answer:
            return [process["id"] for process in json.load(answer)["processes"]]
    except HTTPError:
        return []  # a token is asked for


@schemathesis.hook
def before_call(context, case, kwargs):
    body = case.body if isinstance(case.body, dict) else None
    operation = case.operation.definition.raw.get("operationId")
    if operation == "startProcess" and body is not None:
        if isinstance(body.get("command"), str) and body["command"]:
            body["command"] = random.choice(COMMANDS)
    elif operation in ("download", "downloadHead", "upload"):
        query = dict(case.query or {})
        if operation == "upload" or isinstance(query.get("path"), str):
            query["path"] = below(query.get("path", ""))
        case.query = query
    elif operation == "compose" and body is not None:
        if isinstance(body.get("destination"), str) and body["destination"]:
            body["destination"] = below(body["destination"])
        if isinstance(body.get("source_paths"), list):
            body["source_paths"] = [
                below(path) if isinstance(path, str) else path for path in body["source_paths"]
            ]
    elif operation == "init" and body is not None:
        if isinstance(body.get("caBundle"), str):
            body["caBundle"] = ""
    if operation in ("logs", "sandboxLogs") and case.query and "follow" in case.query:
        case.query = {**case.query, "follow": "false"}
    if case.path_parameters and "sandboxId" in case.path_parameters and random.random() < 0.5:
        case.path_parameters["sandboxId"] = "sandbox"
    if case.path_parameters and "id" in case.path_parameters and random.random() < 0.5:
        ids = known_ids()
        if ids:
            case.path_parameters["id"] = random.choice(ids)
