"""`sandbox.files.watch_dir`: a stream of events in the asynchronous flavour, polled in the synchronous one."""

import os

from e2b import FileNotFoundException, FileType, InvalidArgumentException, SandboxException, TimeoutException

from sdk import Skipped, place, raises, until


def touch(path, text=""):
    with open(path, "w") as file:
        file.write(text)


async def test_nothing_is_reported_before_something_happens(sdk):
    watching = await sdk.watch(place())
    watching.poll()
    assert watching.events == []
    await watching.stop()


async def test_every_kind_of_change_is_seen_with_the_bare_name(sdk):
    directory = place()
    watching = await sdk.watch(directory)
    touch(f"{directory}/file")
    await watching.saw("create", "file")
    touch(f"{directory}/file", "text")
    await watching.saw("write", "file")
    os.chmod(f"{directory}/file", 0o600)
    await watching.saw("chmod", "file")
    os.rename(f"{directory}/file", f"{directory}/renamed")
    await watching.saw("rename", "file")
    await watching.saw("create", "renamed")
    os.remove(f"{directory}/renamed")
    await watching.saw("remove", "renamed")
    assert all(it.entry is None for it in watching.events)
    await watching.stop()


async def test_an_upload_of_a_new_file_is_a_create_first_under_its_own_name_only(sdk):
    directory = place()
    watching = await sdk.watch(directory)
    await sdk.files.write(f"{directory}/new.txt", "text")
    await watching.saw("create", "new.txt")
    await sdk.files.remove(f"{directory}/new.txt")
    await watching.saw("remove", "new.txt")
    assert watching.events[0].type.value == "create"
    assert {it.name for it in watching.events} == {"new.txt"}
    await watching.stop()


async def test_an_upload_over_a_file_is_a_write(sdk):
    for options in ({}, {"use_octet_stream": True}):
        directory = place()
        await sdk.files.write(f"{directory}/file.txt", "before")
        watching = await sdk.watch(directory)
        await sdk.files.write(f"{directory}/file.txt", "after", **options)
        await watching.saw("write", "file.txt")
        assert {it.name for it in watching.events} == {"file.txt"}
        await watching.stop()


async def test_without_recursive_what_happens_below_is_not_seen(sdk):
    directory = place()
    os.mkdir(f"{directory}/dir")
    watching = await sdk.watch(directory)
    touch(f"{directory}/dir/below")
    touch(f"{directory}/last")
    await watching.saw("create", "last")
    assert all("/" not in it.name for it in watching.events)
    await watching.stop()


async def test_with_recursive_names_are_relative_to_the_watched_directory(sdk):
    directory = place()
    os.makedirs(f"{directory}/dir/deeper")
    watching = await sdk.watch(directory, recursive=True)
    await sdk.files.write(f"{directory}/dir/file.txt", "x")
    await watching.saw("create", "dir/file.txt")
    await sdk.files.write(f"{directory}/dir/deeper/file.txt", "x")
    await watching.saw("create", "dir/deeper/file.txt")
    await watching.stop()


async def test_a_directory_made_after_the_start_is_watched_with_all_that_is_in_it(sdk):
    directory = place()
    watching = await sdk.watch(directory, recursive=True)
    os.makedirs(f"{directory}/a/b/c")
    touch(f"{directory}/a/b/c/f")
    await watching.saw("create", "a/b/c/f")
    touch(f"{directory}/a/b/later")
    await watching.saw("create", "a/b/later")
    created = sorted(it.name for it in watching.events if it.type.value == "create")
    assert created == ["a", "a/b", "a/b/c", "a/b/c/f", "a/b/later"], created
    await watching.stop()


async def test_with_include_entry_an_event_says_what_the_entry_is(sdk):
    directory = place()
    watching = await sdk.watch(directory, include_entry=True)
    await sdk.files.write(f"{directory}/file", "four")
    event = await watching.saw("create", "file")
    assert (event.entry.path, event.entry.type) == (f"{directory}/file", FileType.FILE)
    await sdk.files.remove(f"{directory}/file")
    assert (await watching.saw("remove", "file")).entry is None
    await sdk.files.make_dir(f"{directory}/dir")
    assert (await watching.saw("create", "dir")).entry.type == FileType.DIR
    await watching.stop()


async def test_network_mounts_may_be_allowed_where_there_is_none(sdk):
    directory = place()
    watching = await sdk.watch(directory, allow_network_mounts=True)
    touch(f"{directory}/file")
    await watching.saw("create", "file")
    await watching.stop()


async def test_stop_ends_it(sdk):
    directory = place()
    watching = await sdk.watch(directory)
    touch(f"{directory}/file")
    await watching.saw("create", "file")
    await watching.stop()
    if sdk.is_async:
        assert await until(lambda: watching.exits, "on_exit") == [None]
    else:
        with raises(SandboxException):
            watching.poll()


async def test_a_watch_ends_at_its_time_limit_with_a_timeout(sdk):
    if not sdk.is_async:
        raise Skipped("a watch that is polled has no time limit")
    watching = await sdk.watch(place(), timeout=1)
    (error,) = await until(lambda: watching.exits, "on_exit")
    assert isinstance(error, TimeoutException), error


async def test_several_watches_of_one_directory_all_see(sdk):
    directory = place()
    watches = [await sdk.watch(directory) for _ in range(5)]
    touch(f"{directory}/file")
    for watching in watches:
        await watching.saw("create", "file")
        await watching.stop()


async def test_a_file_or_a_missing_path_cannot_be_watched(sdk):
    directory = place()
    touch(f"{directory}/file")
    with raises(InvalidArgumentException):
        await sdk.watch(f"{directory}/file")
    with raises(FileNotFoundException):
        await sdk.watch(f"{directory}/missing")
