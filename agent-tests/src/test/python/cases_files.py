"""`sandbox.files`, without watching."""

import hashlib
import io
import os
import re
from datetime import datetime, timezone

from e2b import (
    AuthenticationException,
    CommandExitException,
    FileNotFoundException,
    FileType,
    InvalidArgumentException,
    SandboxException,
)

from sdk import OTHER_USER, Skipped, place, raises

EVERY_BYTE = bytes(range(256)) * 4
FORMS = {"multipart": {}, "raw": {"use_octet_stream": True}, "gzip": {"gzip": True}}


def content(path):
    with open(path, "rb") as file:
        return file.read()


async def test_what_was_written_is_read_back(sdk):
    path = place() + "/note.txt"
    info = await sdk.files.write(path, "Grüße, 世界\n")
    assert (info.name, info.path, info.type, info.metadata) == ("note.txt", path, FileType.FILE, None)
    assert await sdk.files.read(path) == "Grüße, 世界\n"
    assert content(path).decode() == "Grüße, 世界\n"


async def test_a_file_is_the_same_in_every_format(sdk):
    path = place() + "/bytes"
    await sdk.files.write(path, EVERY_BYTE)
    for gzip in (False, True):
        assert bytes(await sdk.files.read(path, format="bytes", gzip=gzip)) == EVERY_BYTE
        assert await sdk.chunks(await sdk.files.read(path, format="stream", gzip=gzip)) == EVERY_BYTE


async def test_an_empty_file_is_empty_in_every_format(sdk):
    path = place() + "/empty"
    for gzip in (False, True):
        await sdk.files.write(path, "", gzip=gzip)
        assert os.stat(path).st_size == 0
        assert await sdk.files.read(path, gzip=gzip) == ""
        assert len(await sdk.files.read(path, format="bytes", gzip=gzip)) == 0
        assert await sdk.chunks(await sdk.files.read(path, format="stream", gzip=gzip)) == b""


async def test_text_bytes_and_files_are_written_in_every_form(sdk):
    directory = place()
    for form, options in FORMS.items():
        kinds = {"text": "some text", "bytes": b"some text", "file": io.BytesIO(b"some text")}
        for kind, data in kinds.items():
            path = f"{directory}/{form}-{kind}"
            assert (await sdk.files.write(path, data, **options)).path == path
            assert content(path) == b"some text"


async def test_what_is_made_while_it_is_sent_is_written(sdk):
    directory = place()
    for gzip in (False, True):
        path = f"{directory}/{gzip}"
        await sdk.files.write(path, sdk.pieces([b"some ", b"", b"text"]), gzip=gzip)
        assert content(path) == b"some text"


async def test_several_files_are_written_and_answered_in_order(sdk):
    directory = place()
    for form, options in FORMS.items():
        entries = [{"path": f"{directory}/{form}{i % 3}/{i}.txt", "data": f"file {i}"} for i in range(12)]
        infos = await sdk.files.write_files(entries, **options)
        assert [it.path for it in infos] == [it["path"] for it in entries]
        for entry in entries:
            assert content(entry["path"]).decode() == entry["data"]
        assert await sdk.files.write_files([], **options) == []


async def test_names_with_spaces_signs_and_letters_of_all_kinds(sdk):
    for options in FORMS.values():
        directory = place()
        for name in ["a b.txt", "ü世🐦.txt", "plus+and%41.txt", "what?#&=;.txt", "'quoted'.txt", ".hidden"]:
            path = f"{directory}/{name}"
            assert (await sdk.files.write(path, name, **options)).name == name
            assert content(path).decode() == name
            assert await sdk.files.read(path) == name
            assert (await sdk.files.get_info(path)).name == name


async def test_megabytes_are_streamed_up_and_down_whole(sdk):
    path = place() + "/big"
    parts = [bytes([i]) * 65536 for i in range(256)]
    digest = hashlib.sha256(b"".join(parts)).digest()
    for gzip in (False, True):
        await sdk.files.write(path, sdk.pieces(parts), gzip=gzip)
        assert os.stat(path).st_size == 16 * 1024 * 1024
        read = await sdk.chunks(await sdk.files.read(path, format="stream", gzip=gzip))
        assert hashlib.sha256(read).digest() == digest


async def test_overwriting_keeps_working_also_with_less(sdk):
    path = place() + "/again"
    for text in ["a long first text", "short", "", "and back again"]:
        await sdk.files.write(path, text)
        assert await sdk.files.read(path) == text


async def test_writing_makes_the_directories_that_are_missing(sdk):
    directory = place()
    await sdk.files.write(f"{directory}/a/b/c.txt", "deep")
    assert await sdk.files.read(f"{directory}/a/b/c.txt") == "deep"
    assert (await sdk.files.get_info(f"{directory}/a/b")).type == FileType.DIR


async def test_many_files_at_once_are_all_written(sdk):
    directory = place()

    def write(i):
        return lambda: sdk.files.write(f"{directory}/{i}", f"number {i}")

    await sdk.together([write(i) for i in range(40)])
    assert len(await sdk.files.list(directory)) == 40
    for i in range(40):
        assert content(f"{directory}/{i}").decode() == f"number {i}"


async def test_a_directory_is_no_file_to_read_or_write(sdk):
    directory = place()
    with raises(InvalidArgumentException):
        await sdk.files.read(directory)
    for options in FORMS.values():
        with raises(InvalidArgumentException):
            await sdk.files.write(directory, "x", **options)


async def test_what_is_missing_raises_file_not_found(sdk):
    missing = place() + "/missing"
    with raises(FileNotFoundException, "missing"):
        await sdk.files.read(missing)
    with raises(FileNotFoundException):
        await sdk.files.read(missing, format="stream")
    with raises(FileNotFoundException):
        await sdk.files.get_info(missing)
    with raises(FileNotFoundException):
        await sdk.files.list(missing)
    with raises(FileNotFoundException):
        await sdk.files.rename(missing, missing + "2")
    with raises(FileNotFoundException):
        await sdk.watch(missing)


async def test_exists_says_yes_and_no(sdk):
    directory = place()
    await sdk.files.write(f"{directory}/there", "")
    assert await sdk.files.exists(f"{directory}/there") is True
    assert await sdk.files.exists(directory) is True
    assert await sdk.files.exists(f"{directory}/gone") is False


async def test_make_dir_is_true_once_false_after_that_and_makes_parents(sdk):
    directory = place()
    assert await sdk.files.make_dir(f"{directory}/a/b/c") is True
    assert await sdk.files.make_dir(f"{directory}/a/b/c") is False
    assert await sdk.files.make_dir(f"{directory}/a") is False
    await sdk.files.write(f"{directory}/file", "")
    with raises(InvalidArgumentException):
        await sdk.files.make_dir(f"{directory}/file")


async def test_a_file_and_a_directory_have_the_modes_and_owner_of_their_user(sdk):
    directory = place()
    user, group = (await sdk.commands.run("id -un; id -gn")).stdout.split()
    await sdk.files.write(f"{directory}/file", "four")
    await sdk.files.make_dir(f"{directory}/dir")
    file = await sdk.files.get_info(f"{directory}/file")
    assert (file.name, file.path, file.type, file.size) == ("file", f"{directory}/file", FileType.FILE, 4)
    assert (file.mode, file.permissions, file.owner, file.group) == (0o644, "-rw-r--r--", user, group)
    assert file.symlink_target is None
    modified = file.modified_time
    if modified.tzinfo is None:
        modified = modified.replace(tzinfo=timezone.utc)
    assert abs((datetime.now(timezone.utc) - modified).total_seconds()) < 60
    made = await sdk.files.get_info(f"{directory}/dir")
    assert (made.type, made.mode, made.permissions) == (FileType.DIR, 0o755, "drwxr-xr-x")
    assert (made.owner, made.group) == (user, group)


async def test_list_goes_as_deep_as_asked_parents_first_by_name(sdk):
    directory = place()
    for path in ["b/z.txt", "b/a/deep.txt", "a.txt", "c/x", "B.txt"]:
        await sdk.files.write(f"{directory}/{path}", "")
    expected = {
        1: ["B.txt", "a.txt", "b", "c"],
        2: ["B.txt", "a.txt", "b", "b/a", "b/z.txt", "c", "c/x"],
        3: ["B.txt", "a.txt", "b", "b/a", "b/a/deep.txt", "b/z.txt", "c", "c/x"],
    }
    for depth, names in expected.items():
        assert [it.path for it in await sdk.files.list(directory, depth=depth)] == [f"{directory}/{it}" for it in names]
    with raises(InvalidArgumentException):
        await sdk.files.list(directory, depth=0)
    with raises(InvalidArgumentException):
        await sdk.files.list(f"{directory}/a.txt")
    assert await sdk.files.list(place()) == []


async def test_a_symbolic_link_has_the_type_of_its_target_and_the_resolved_path(sdk):
    directory = place()
    await sdk.files.write(f"{directory}/target", "here")
    os.symlink("target", f"{directory}/one")
    os.symlink("one", f"{directory}/two")
    link = await sdk.files.get_info(f"{directory}/two")
    assert (link.type, link.symlink_target) == (FileType.FILE, f"{directory}/target")
    assert await sdk.files.read(f"{directory}/two") == "here"
    listed = {it.name: it.symlink_target for it in await sdk.files.list(directory)}
    assert listed == {"one": f"{directory}/target", "target": None, "two": f"{directory}/target"}


async def test_rename_moves_over_an_old_file_and_into_new_directories(sdk):
    directory = place()
    await sdk.files.write(f"{directory}/a", "from a")
    await sdk.files.write(f"{directory}/old", "old")
    info = await sdk.files.rename(f"{directory}/a", f"{directory}/old")
    assert (info.name, info.path) == ("old", f"{directory}/old")
    assert await sdk.files.read(f"{directory}/old") == "from a"
    assert not await sdk.files.exists(f"{directory}/a")
    await sdk.files.write(f"{directory}/dir/inner", "inner")
    assert (await sdk.files.rename(f"{directory}/dir", f"{directory}/new/place")).type == FileType.DIR
    assert await sdk.files.read(f"{directory}/new/place/inner") == "inner"


async def test_remove_takes_files_directories_links_and_what_is_missing(sdk):
    directory = place()
    await sdk.files.write(f"{directory}/file", "")
    await sdk.files.write(f"{directory}/dir/a/b", "")
    await sdk.files.write(f"{directory}/kept", "kept")
    os.symlink("kept", f"{directory}/link")
    for name in ["file", "dir", "link", "missing"]:
        await sdk.files.remove(f"{directory}/{name}")
    assert [it.name for it in await sdk.files.list(directory, depth=5)] == ["kept"]


async def test_metadata_comes_back_from_upload_info_list_and_rename(sdk):
    directory = place()
    metadata = {"author": "Jane Doe", "x-rate": "1/2 (~)"}
    for form, options in FORMS.items():
        path = f"{directory}/{form}/file"
        written = await sdk.files.write(path, "text", metadata={"Author": "Jane Doe", "x-rate": "1/2 (~)"}, **options)
        assert written.metadata == metadata
        assert (await sdk.files.get_info(path)).metadata == metadata
        assert [it.metadata for it in await sdk.files.list(f"{directory}/{form}")] == [metadata]
        assert (await sdk.files.rename(path, path + "2")).metadata == metadata


async def test_overwriting_replaces_the_metadata_and_without_any_clears_it(sdk):
    path = place() + "/file"
    await sdk.files.write(path, "1", metadata={"a": "1", "b": "2"})
    await sdk.files.write(path, "2", metadata={"b": "3"})
    assert (await sdk.files.get_info(path)).metadata == {"b": "3"}
    await sdk.files.write(path, "3")
    assert (await sdk.files.get_info(path)).metadata is None


async def test_metadata_that_something_else_has_set_is_seen(sdk):
    path = place() + "/file"
    await sdk.files.write(path, "text", metadata={"ours": "1"})
    os.setxattr(path, b"user.e2b.theirs", b"set outside")
    os.setxattr(path, b"user.other", b"not metadata")
    metadata = {"ours": "1", "theirs": "set outside"}
    assert (await sdk.files.get_info(path)).metadata == metadata
    assert (await sdk.files.list(os.path.dirname(path)))[0].metadata == metadata


async def test_metadata_that_cannot_be_stored_is_refused_and_writes_nothing(sdk):
    path = place() + "/file"
    with raises(InvalidArgumentException):
        await sdk.files.write(path, "x", metadata={"key": "ü"})
    with raises(InvalidArgumentException):
        await sdk.files.write(path, "x", metadata={"key": "v" * 5000})
    assert not await sdk.files.exists(path)


async def test_a_relative_path_is_below_the_home_of_the_user(sdk):
    home = (await sdk.commands.run("echo ~")).stdout.strip()
    name = f"sandpiper-test-{os.getpid()}"
    try:
        assert (await sdk.files.write(f"{name}/note", "at home")).path == f"{home}/{name}/note"
        assert await sdk.files.read(f"{name}/note") == "at home"
        assert [it.path for it in await sdk.files.list(name)] == [f"{home}/{name}/note"]
        assert (await sdk.files.get_info(f"~/{name}")).path == f"{home}/{name}"
    finally:
        await sdk.files.remove(f"{home}/{name}")


async def test_files_of_a_given_user_are_that_users(sdk):
    if OTHER_USER is None:
        raise Skipped("needs root and a second account")
    user, name = OTHER_USER, f"made-{sdk.is_async}"
    for options in FORMS.values():
        info = await sdk.files.write(f"{name}/by/sdk", "mine", user=user, **options)
        assert info.path == f"/home/{user}/{name}/by/sdk"
        made = await sdk.files.get_info(f"{name}/by/sdk", user=user)
        assert (made.owner, made.group) == (user, user)
        assert (await sdk.files.get_info(name, user=user)).owner == user
        assert await sdk.files.read(f"{name}/by/sdk", user=user) == "mine"
        assert await sdk.files.make_dir(f"{name}/dir", user=user) is True
        assert (await sdk.commands.run(f"cat {name}/by/sdk", user=user)).stdout == "mine"
        await sdk.files.remove(name, user=user)


async def test_an_unknown_user_raises_authentication(sdk):
    path, user = place() + "/file", "nobody-knows"
    with raises(AuthenticationException):
        await sdk.files.write(path, "x", user=user)
    with raises(AuthenticationException):
        await sdk.files.read(path, user=user)
    with raises(AuthenticationException):
        await sdk.files.get_info(path, user=user)
    with raises(AuthenticationException):
        await sdk.files.list(path, user=user)


async def test_files_of_procfs_and_sysfs_are_read_to_their_end(sdk):
    paths = ["/proc/version", "/proc/cpuinfo", "/proc/sys/kernel/ostype", "/sys/kernel/mm/transparent_hugepage/enabled"]
    for path in filter(os.path.exists, paths):
        for gzip in (False, True):
            expected, actual = content(path).decode(), await sdk.files.read(path, gzip=gzip)
            assert re.sub("MHz.*", "", actual) == re.sub("MHz.*", "", expected)


async def test_a_path_through_a_file_and_a_loop_of_links_are_errors_not_hangs(sdk):
    directory = place()
    open(f"{directory}/file", "w").close()
    os.symlink("loop", f"{directory}/loop")
    for path in [f"{directory}/file/below", f"{directory}/loop", f"{directory}/{'n' * 5000}"]:
        with raises(SandboxException):
            await sdk.files.read(path)
        with raises(SandboxException):
            await sdk.files.write(path, "x")
        with raises(SandboxException):
            await sdk.files.list(path)


async def test_what_was_uploaded_is_the_owners_to_change(sdk):
    path = place() + "/script.sh"
    await sdk.files.write(path, "#!/bin/sh\necho from a script\n")
    with raises(CommandExitException) as caught:
        await sdk.commands.run(path)
    assert caught.error.exit_code == 126
    assert (await sdk.commands.run(f"chmod +x {path} && {path}")).stdout == "from a script\n"
    await sdk.files.write(path, "#!/bin/sh\necho changed\n")
    assert (await sdk.commands.run(path)).stdout == "changed\n"
