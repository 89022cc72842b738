import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { AuthenticationError, InvalidArgumentError, Sandbox } from 'e2b'
import { place, sandbox, secured } from './sandbox.mjs'

const { files, commands } = sandbox
const needsToken = { skip: secured ? false : 'needs an agent with a token' }
const needsNone = { skip: secured ? 'needs an agent without a token' : false }

function form(name, text) {
  const body = new FormData()
  body.append('file', new Blob([text]), name)
  return body
}

/** The sandbox as somebody knows it who has another token, or none. */
function withToken(envdAccessToken) {
  return new Sandbox({ sandboxId: sandbox.sandboxId, envdVersion: '99.99.99', envdAccessToken, debug: true })
}

test('isRunning is true, also without a token', async () => {
  assert.equal(await sandbox.isRunning(), true)
  assert.equal(await withToken(undefined).isRunning(), true)
})

test('files are sent and fetched by URL without the package', async () => {
  const directory = place()
  const upload = await fetch(await sandbox.uploadUrl(`${directory}/up load+1.txt`), { method: 'POST', body: form('x', 'by URL') })
  assert.equal(upload.status, 200)
  assert.deepEqual(await upload.json(), [{ name: 'up load+1.txt', path: `${directory}/up load+1.txt`, type: 'file' }])
  assert.equal(readFileSync(`${directory}/up load+1.txt`, 'utf8'), 'by URL')
  const download = await fetch(await sandbox.downloadUrl(`${directory}/up load+1.txt`))
  assert.equal(download.status, 200)
  assert.equal(await download.text(), 'by URL')
})

test('an upload URL without a path takes the names of the parts', async () => {
  const directory = place()
  const body = form(`${directory}/one`, '1')
  body.append('file', new Blob(['2']), `${directory}/two`)
  const upload = await fetch(await sandbox.uploadUrl(), { method: 'POST', body })
  assert.equal(upload.status, 200)
  assert.deepEqual((await upload.json()).map((it) => it.name), ['one', 'two'])
  assert.equal(await files.read(`${directory}/two`), '2')
})

test('an expiration needs a token', needsNone, async () => {
  await assert.rejects(sandbox.downloadUrl('x', { useSignatureExpiration: 60 }), InvalidArgumentError)
})

test('signed URLs hold until they expire', needsToken, async () => {
  const path = `${place()}/signed`
  const options = { useSignatureExpiration: 120 }
  const upload = await fetch(await sandbox.uploadUrl(path, options), { method: 'POST', body: form('x', 'signed') })
  assert.equal(upload.status, 200)
  const url = await sandbox.downloadUrl(path, options)
  assert.match(url, /signature=v1_.*signature_expiration=/)
  assert.equal(await (await fetch(url)).text(), 'signed')

  const expired = await fetch(await sandbox.downloadUrl(path, { useSignatureExpiration: -120 }))
  assert.equal(expired.status, 401)
  assert.deepEqual(await expired.json(), { code: 401, message: 'signature is already expired' })
})

test('a signed URL is good for one file, one way and one user', needsToken, async () => {
  const path = `${place()}/signed`
  await files.write(path, 'secret')
  const refused = async (url, message, request = {}) => {
    const answer = await fetch(url, request)
    assert.equal(answer.status, 401)
    assert.deepEqual(await answer.json(), { code: 401, message })
  }
  const download = await sandbox.downloadUrl(path)
  await refused(download.replace('signed', 'signee'), 'invalid signature')
  await refused(`${download}&username=root`, 'invalid signature')
  await refused(`${download}&signature_expiration=99999999999`, 'invalid signature')
  await refused(download, 'invalid signature', { method: 'POST', body: form('x', 'overwritten') })
  await refused(await sandbox.uploadUrl(path), 'invalid signature')
  await refused(download.replace(/&?signature=[^&]*/, ''), 'missing signature query parameter')
  await refused(await withToken('another').downloadUrl(path), 'invalid signature')
  assert.equal(await files.read(path), 'secret')
})

test('a wrong token or none throws AuthenticationError everywhere', needsToken, async () => {
  for (const stranger of [withToken('wrong'), withToken(undefined)]) {
    await assert.rejects(stranger.commands.run('true'), AuthenticationError)
    await assert.rejects(stranger.commands.list(), AuthenticationError)
    await assert.rejects(stranger.commands.connect(1), AuthenticationError)
    await assert.rejects(stranger.pty.create({ cols: 80, rows: 24, onData() {} }), AuthenticationError)
    await assert.rejects(stranger.files.list('/'), AuthenticationError)
    await assert.rejects(stranger.files.read('/etc/hostname'), AuthenticationError)
    await assert.rejects(stranger.files.write(`${place()}/x`, 'x'), AuthenticationError)
    await assert.rejects(stranger.files.watchDir('/tmp', () => {}), AuthenticationError)
  }
})

test('connect finds the sandbox and its token through the control plane', needsToken, async () => {
  const again = await Sandbox.connect(sandbox.sandboxId)
  assert.equal((await again.commands.run('echo again')).stdout, 'again\n')
})

test('environment variables of create reach every command', needsToken, async () => {
  assert.equal((await commands.run('echo $FROM_CREATE')).stdout, 'as asked\n')
  assert.equal((await commands.run('echo $FROM_CREATE', { envs: { FROM_CREATE: 'of the call' } })).stdout, 'of the call\n')
})

test('metrics that the agent measures reach the package', needsToken, async () => {
  const [metrics] = await sandbox.getMetrics()
  assert.ok(metrics.cpuCount >= 1)
  assert.ok(metrics.cpuUsedPct >= 0 && metrics.cpuUsedPct <= 100)
  assert.ok(metrics.memTotal > 0 && metrics.memUsed > 0 && metrics.memUsed <= metrics.memTotal)
  assert.ok(metrics.diskTotal > 0 && metrics.diskUsed > 0 && metrics.diskUsed <= metrics.diskTotal)
})

test('getMetrics without a control plane is empty', needsNone, async () => {
  assert.deepEqual(await sandbox.getMetrics(), [])
})
