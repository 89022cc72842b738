import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CommandExitError, GitUpstreamError, InvalidArgumentError } from 'e2b'
import { place, sandbox } from './sandbox.mjs'

const { git, files, commands } = sandbox

/** A home of its own, so that global settings stay there. */
function home() {
  const directory = place()
  return { directory, options: { envs: { HOME: directory } } }
}

/** A bare repository and a clone of it with an identity. */
async function cloned() {
  const { directory, options } = home()
  const remote = `${directory}/remote.git`
  const work = `${directory}/work`
  await git.init(remote, { bare: true, initialBranch: 'main', ...options })
  await git.configureUser('Jane Doe', 'jane@example.org', options)
  await git.clone(remote, { path: work, ...options })
  return { directory, remote, work, options }
}

async function committed(repository, name, text) {
  await files.write(`${repository.work}/${name}`, text)
  await commands.run(`chmod a+rw ${repository.work}/${name} 2>/dev/null; true`)
  await git.add(repository.work, repository.options)
  await git.commit(repository.work, `adds ${name}`, repository.options)
}

test('init, add, commit, status and push against a bare repository', async () => {
  const it = await cloned()
  const { work, options } = it
  await files.write(`${work}/a.txt`, 'a')
  let status = await git.status(work, options)
  assert.equal(status.isClean, false)
  assert.equal(status.hasUntracked, true)
  assert.deepEqual(status.fileStatus.map((f) => [f.name, f.status]), [['a.txt', 'untracked']])
  await git.add(work, { files: ['a.txt'], ...options })
  status = await git.status(work, options)
  assert.deepEqual([status.stagedCount, status.untrackedCount], [1, 0])
  await git.commit(work, "says 'hello' & more", { authorName: 'Ann', authorEmail: 'ann@example.org', ...options })
  await git.push(work, { remote: 'origin', branch: 'main', ...options })
  status = await git.status(work, options)
  assert.equal(status.isClean, true)
  assert.equal(status.currentBranch, 'main')
  assert.equal(status.upstream, 'origin/main')
  const log = await commands.run(`git -C ${work} log --format='%an|%s'`, options)
  assert.equal(log.stdout, "Ann|says 'hello' & more\n")
})

test('pull brings what another clone has pushed', async () => {
  const it = await cloned()
  await committed(it, 'a', '1')
  await git.push(it.work, it.options)
  const second = `${it.directory}/second`
  await git.clone(it.remote, { path: second, branch: 'main', depth: 1, ...it.options })
  await committed(it, 'b', '2')
  await git.push(it.work, it.options)
  await git.pull(second, it.options)
  assert.equal(await files.read(`${second}/b`), '2')
  const status = await git.status(second, it.options)
  assert.deepEqual([status.ahead, status.behind], [0, 0])
})

test('pull and push without an upstream say so', async () => {
  const it = await cloned()
  await committed(it, 'a', '1')
  await git.createBranch(it.work, 'lonely', it.options)
  await assert.rejects(git.pull(it.work, it.options), GitUpstreamError)
  await assert.rejects(git.push(it.work, { setUpstream: false, ...it.options }), GitUpstreamError)
})

test('branches are made, checked out, listed and deleted', async () => {
  const it = await cloned()
  const { work, options } = it
  await committed(it, 'a', '1')
  await git.createBranch(work, 'feature/one', options)
  assert.deepEqual(await git.branches(work, options), { branches: ['feature/one', 'main'], currentBranch: 'feature/one' })
  await committed(it, 'b', '2')
  await git.checkoutBranch(work, 'main', options)
  assert.equal(await files.exists(`${work}/b`), false)
  await assert.rejects(git.deleteBranch(work, 'feature/one', options), CommandExitError)
  await git.deleteBranch(work, 'feature/one', { force: true, ...options })
  assert.deepEqual((await git.branches(work, options)).branches, ['main'])
})

test('reset and restore undo changes', async () => {
  const it = await cloned()
  const { work, options } = it
  await committed(it, 'a', 'first')
  await committed(it, 'b', 'second')
  await files.write(`${work}/a`, 'changed')
  await git.add(work, options)
  await git.restore(work, { paths: ['a'], staged: true, ...options })
  assert.equal((await git.status(work, options)).stagedCount, 0)
  await git.restore(work, { paths: ['a'], ...options })
  assert.equal(await files.read(`${work}/a`), 'first')
  await git.reset(work, { mode: 'hard', target: 'HEAD~1', ...options })
  assert.equal(await files.exists(`${work}/b`), false)
})

test('remotes are added, changed and read', async () => {
  const it = await cloned()
  const { work, remote, options } = it
  assert.equal(await git.remoteGet(work, 'origin', options), remote)
  assert.equal(await git.remoteGet(work, 'none', options), undefined)
  await git.remoteAdd(work, 'backup', remote, { fetch: true, ...options })
  assert.equal(await git.remoteGet(work, 'backup', options), remote)
  await assert.rejects(git.remoteAdd(work, 'backup', '/elsewhere', options), CommandExitError)
  await git.remoteAdd(work, 'backup', `${remote}/.`, { overwrite: true, ...options })
  assert.equal(await git.remoteGet(work, 'backup', options), `${remote}/.`)
})

test('configuration is written and read, for all and for one repository', async () => {
  const it = await cloned()
  const { work, options } = it
  assert.equal(await git.getConfig('user.name', options), 'Jane Doe')
  assert.equal(await git.getConfig('no.such', options), undefined)
  await git.setConfig('core.abbrev', '12', { scope: 'local', path: work, ...options })
  assert.equal(await git.getConfig('core.abbrev', { scope: 'local', path: work, ...options }), '12')
  await git.configureUser('Local Name', 'local@example.org', { scope: 'local', path: work, ...options })
  assert.equal(await git.getConfig('user.name', { scope: 'local', path: work, ...options }), 'Local Name')
  assert.equal(await git.getConfig('user.name', options), 'Jane Doe')
})

test('credentials are stored for a host', async () => {
  const { directory, options } = home()
  await git.dangerouslyAuthenticate({ username: 'jane', password: 's3cret', host: 'git.example.org', ...options })
  assert.equal(await git.getConfig('credential.helper', options), 'store')
  const stored = await commands.run(`cat ${directory}/.git-credentials`, options)
  assert.equal(stored.stdout, 'https://jane:s3cret@git.example.org\n')
})

test('mistakes are errors of their own', async () => {
  const { directory, options } = home()
  await assert.rejects(git.clone(`${directory}/none`, { path: `${directory}/x`, ...options }), CommandExitError)
  await assert.rejects(git.status(directory, options), CommandExitError)
  await assert.rejects(git.clone('https://example.org/r.git', { password: 'p', ...options }), InvalidArgumentError)
})
