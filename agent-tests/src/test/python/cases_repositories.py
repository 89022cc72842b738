"""`sandbox.git` against a bare repository on the agent's machine."""

from e2b import CommandExitException, GitUpstreamException, InvalidArgumentException

from sdk import place, raises


class Repository:
    """A bare repository and a clone of it with an identity, below a home of their own, so that global settings stay there."""

    def __init__(self, sdk):
        self.sdk = sdk
        self.home = place()
        self.remote = f"{self.home}/remote.git"
        self.work = f"{self.home}/work"
        self.options = {"envs": {"HOME": self.home}}

    @staticmethod
    async def cloned(sdk):
        it = Repository(sdk)
        await sdk.git.init(it.remote, bare=True, initial_branch="main", **it.options)
        await sdk.git.configure_user("Jane Doe", "jane@example.org", **it.options)
        await sdk.git.clone(it.remote, path=it.work, **it.options)
        return it

    async def commit(self, name, text):
        await self.sdk.files.write(f"{self.work}/{name}", text)
        await self.sdk.git.add(self.work, **self.options)
        await self.sdk.git.commit(self.work, f"adds {name}", **self.options)


async def test_init_add_commit_status_and_push_against_a_bare_repository(sdk):
    it = await Repository.cloned(sdk)
    await sdk.files.write(f"{it.work}/a.txt", "a")
    status = await sdk.git.status(it.work, **it.options)
    assert [(f.name, f.status) for f in status.file_status] == [("a.txt", "untracked")]
    assert status.has_untracked and not status.is_clean
    await sdk.git.add(it.work, files=["a.txt"], **it.options)
    status = await sdk.git.status(it.work, **it.options)
    assert (status.staged_count, status.untracked_count) == (1, 0)
    await sdk.git.commit(
        it.work, "says 'hello' & more", author_name="Ann", author_email="ann@example.org", **it.options
    )
    await sdk.git.push(it.work, remote="origin", branch="main", **it.options)
    status = await sdk.git.status(it.work, **it.options)
    assert (status.is_clean, status.current_branch, status.upstream) == (True, "main", "origin/main")
    log = await sdk.commands.run(f"git -C {it.work} log --format='%an|%s'", **it.options)
    assert log.stdout == "Ann|says 'hello' & more\n"


async def test_pull_brings_what_another_clone_has_pushed(sdk):
    it = await Repository.cloned(sdk)
    await it.commit("a", "1")
    await sdk.git.push(it.work, **it.options)
    second = f"{it.home}/second"
    await sdk.git.clone(it.remote, path=second, branch="main", depth=1, **it.options)
    await it.commit("b", "2")
    await sdk.git.push(it.work, **it.options)
    await sdk.git.pull(second, **it.options)
    assert await sdk.files.read(f"{second}/b") == "2"
    status = await sdk.git.status(second, **it.options)
    assert (status.ahead, status.behind) == (0, 0)


async def test_pull_and_push_without_an_upstream_say_so(sdk):
    it = await Repository.cloned(sdk)
    await it.commit("a", "1")
    await sdk.git.create_branch(it.work, "lonely", **it.options)
    with raises(GitUpstreamException):
        await sdk.git.pull(it.work, **it.options)
    with raises(GitUpstreamException):
        await sdk.git.push(it.work, set_upstream=False, **it.options)


async def test_branches_are_made_checked_out_listed_and_deleted(sdk):
    it = await Repository.cloned(sdk)
    await it.commit("a", "1")
    await sdk.git.create_branch(it.work, "feature/one", **it.options)
    branches = await sdk.git.branches(it.work, **it.options)
    assert (branches.branches, branches.current_branch) == (["feature/one", "main"], "feature/one")
    await it.commit("b", "2")
    await sdk.git.checkout_branch(it.work, "main", **it.options)
    assert not await sdk.files.exists(f"{it.work}/b")
    with raises(CommandExitException):
        await sdk.git.delete_branch(it.work, "feature/one", **it.options)
    await sdk.git.delete_branch(it.work, "feature/one", force=True, **it.options)
    assert (await sdk.git.branches(it.work, **it.options)).branches == ["main"]


async def test_reset_and_restore_undo_changes(sdk):
    it = await Repository.cloned(sdk)
    await it.commit("a", "first")
    await it.commit("b", "second")
    await sdk.files.write(f"{it.work}/a", "changed")
    await sdk.git.add(it.work, **it.options)
    await sdk.git.restore(it.work, ["a"], staged=True, **it.options)
    assert (await sdk.git.status(it.work, **it.options)).staged_count == 0
    await sdk.git.restore(it.work, ["a"], **it.options)
    assert await sdk.files.read(f"{it.work}/a") == "first"
    await sdk.git.reset(it.work, mode="hard", target="HEAD~1", **it.options)
    assert not await sdk.files.exists(f"{it.work}/b")


async def test_remotes_are_added_changed_and_read(sdk):
    it = await Repository.cloned(sdk)
    assert await sdk.git.remote_get(it.work, "origin", **it.options) == it.remote
    assert await sdk.git.remote_get(it.work, "none", **it.options) is None
    await sdk.git.remote_add(it.work, "backup", it.remote, fetch=True, **it.options)
    assert await sdk.git.remote_get(it.work, "backup", **it.options) == it.remote
    with raises(CommandExitException):
        await sdk.git.remote_add(it.work, "backup", "/elsewhere", **it.options)
    await sdk.git.remote_add(it.work, "backup", it.remote + "/.", overwrite=True, **it.options)
    assert await sdk.git.remote_get(it.work, "backup", **it.options) == it.remote + "/."


async def test_configuration_is_written_and_read_for_all_and_for_one_repository(sdk):
    it = await Repository.cloned(sdk)
    local = {"scope": "local", "path": it.work, **it.options}
    assert await sdk.git.get_config("user.name", **it.options) == "Jane Doe"
    assert await sdk.git.get_config("no.such", **it.options) is None
    await sdk.git.set_config("core.abbrev", "12", **local)
    assert await sdk.git.get_config("core.abbrev", **local) == "12"
    await sdk.git.configure_user("Local Name", "local@example.org", **local)
    assert await sdk.git.get_config("user.name", **local) == "Local Name"
    assert await sdk.git.get_config("user.name", **it.options) == "Jane Doe"


async def test_credentials_are_stored_for_a_host(sdk):
    it = Repository(sdk)
    await sdk.git.dangerously_authenticate("jane", "s3cret", host="git.example.org", **it.options)
    assert await sdk.git.get_config("credential.helper", **it.options) == "store"
    stored = await sdk.commands.run(f"cat {it.home}/.git-credentials", **it.options)
    assert stored.stdout == "https://jane:s3cret@git.example.org\n"


async def test_mistakes_are_errors_of_their_own(sdk):
    it = Repository(sdk)
    with raises(CommandExitException):
        await sdk.git.clone(f"{it.home}/none", path=it.work, **it.options)
    with raises(CommandExitException):
        await sdk.git.status(it.home, **it.options)
    with raises(InvalidArgumentException):
        await sdk.git.clone("https://example.org/r.git", password="p", **it.options)
