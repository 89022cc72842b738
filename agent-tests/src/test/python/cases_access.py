"""Who is let in: tokens, signed URLs, and what the control plane hands over."""

import json
import re
import urllib.error
import urllib.request

from e2b import AuthenticationException, InvalidArgumentException

from sdk import SECURED, Calls, Skipped, place, raises


def needs_token():
    if not SECURED:
        raise Skipped("needs an agent with a token")


def needs_none():
    if SECURED:
        raise Skipped("needs an agent without a token")


def fetch(url, body=None, content_type=None):
    """Plain HTTP, without the package: status and body."""
    headers = {} if content_type is None else {"Content-Type": content_type}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=30) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as answer:
        return answer.code, answer.read()


def upload(url, text, name="x"):
    disposition = f'Content-Disposition: form-data; name="file"; filename="{name}"'
    body = f"--edge\r\n{disposition}\r\n\r\n{text}\r\n--edge--\r\n".encode()
    return fetch(url, body, "multipart/form-data; boundary=edge")


async def test_is_running_is_true_also_without_a_token(sdk):
    assert await sdk.sandbox.is_running() is True
    assert await sdk.with_token(None).sandbox.is_running() is True


async def test_files_are_sent_and_fetched_by_url_without_the_package(sdk):
    path = place() + "/up load+1.txt"
    status, body = upload(await sdk.sandbox.upload_url(path), "by URL")
    assert (status, json.loads(body)) == (200, [{"name": "up load+1.txt", "path": path, "type": "file"}])
    assert fetch(await sdk.sandbox.download_url(path)) == (200, b"by URL")


async def test_an_expiration_needs_a_token(sdk):
    needs_none()
    with raises(InvalidArgumentException):
        await sdk.sandbox.download_url("x", use_signature_expiration=60)


async def test_signed_urls_hold_until_they_expire(sdk):
    needs_token()
    path = place() + "/signed"
    status, _ = upload(await sdk.sandbox.upload_url(path, use_signature_expiration=120), "signed")
    assert status == 200
    url = await sdk.sandbox.download_url(path, use_signature_expiration=120)
    assert re.search("signature=v1_.*signature_expiration=", url), url
    assert fetch(url) == (200, b"signed")
    status, body = fetch(await sdk.sandbox.download_url(path, use_signature_expiration=-120))
    assert (status, json.loads(body)) == (401, {"code": 401, "message": "signature is already expired"})


async def test_a_signed_url_is_good_for_one_file_one_way_and_one_user(sdk):
    needs_token()
    path = place() + "/signed"
    await sdk.files.write(path, "secret")
    download = await sdk.sandbox.download_url(path)
    wrong = [
        download.replace("/signed", "/signee").replace("%2Fsigned", "%2Fsignee"),
        download + "&username=root",
        download + "&signature_expiration=99999999999",
        await sdk.sandbox.upload_url(path),
        await sdk.with_token("another").sandbox.download_url(path),
    ]
    answers = [fetch(url) for url in wrong] + [upload(download, "overwritten")]
    for status, body in answers:
        assert (status, json.loads(body)) == (401, {"code": 401, "message": "invalid signature"})
    status, body = fetch(re.sub("&?signature=[^&]*", "", download))
    assert (status, json.loads(body)["message"]) == (401, "missing signature query parameter")
    assert await sdk.files.read(path) == "secret"


async def test_a_wrong_token_or_none_raises_authentication_everywhere(sdk):
    needs_token()
    for token in ["wrong", None]:
        stranger = sdk.with_token(token)
        with raises(AuthenticationException):
            await stranger.commands.run("true")
        with raises(AuthenticationException):
            await stranger.commands.list()
        with raises(AuthenticationException):
            await stranger.commands.connect(1)
        with raises(AuthenticationException):
            await stranger.terminal()
        with raises(AuthenticationException):
            await stranger.files.list("/")
        with raises(AuthenticationException):
            await stranger.files.read("/etc/hostname")
        with raises(AuthenticationException):
            await stranger.files.write(place() + "/x", "x")
        with raises(AuthenticationException):
            await stranger.watch("/tmp")


async def test_connect_finds_the_sandbox_and_its_token_through_the_control_plane(sdk):
    needs_token()
    again = await Calls(type(sdk.raw)).connect(sdk.raw.sandbox_id)
    assert (await Calls(again.commands).run("echo again")).stdout == "again\n"


async def test_environment_variables_of_create_reach_every_command(sdk):
    needs_token()
    assert (await sdk.commands.run("echo $FROM_CREATE")).stdout == "as asked\n"
    result = await sdk.commands.run("echo $FROM_CREATE", envs={"FROM_CREATE": "of the call"})
    assert result.stdout == "of the call\n"


async def test_metrics_that_the_agent_measures_reach_the_package(sdk):
    needs_token()
    (metrics,) = await sdk.sandbox.get_metrics()
    assert metrics.cpu_count >= 1
    assert 0 <= metrics.cpu_used_pct <= 100
    assert 0 < metrics.mem_used <= metrics.mem_total
    assert 0 < metrics.disk_used <= metrics.disk_total


async def test_get_metrics_without_a_control_plane_is_empty(sdk):
    needs_none()
    assert await sdk.sandbox.get_metrics() == []
