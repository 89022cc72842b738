import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CommandExitError, NotFoundError, TimeoutError } from 'e2b'
import { expectText, otherUser, sandbox } from './sandbox.mjs'

const { commands } = sandbox

async function exists(pid) {
  try {
    await commands.run(`kill -0 ${pid}`)
    return true
  } catch (error) {
    assert.ok(error instanceof CommandExitError)
    return false
  }
}

test('isRunning is true', async () => {
  assert.equal(await sandbox.isRunning(), true)
})

test('run gives stdout, stderr and exit code', async () => {
  const result = await commands.run('echo out; echo err >&2')
  assert.equal(result.stdout, 'out\n')
  assert.equal(result.stderr, 'err\n')
  assert.equal(result.exitCode, 0)
  assert.equal(result.error, undefined)
})

test('callbacks see the output as it comes', async () => {
  const pieces = []
  await commands.run('echo one; echo two >&2; echo three', {
    onStdout: (text) => pieces.push(['out', text]),
    onStderr: (text) => pieces.push(['err', text]),
  })
  const of = (name) => pieces.filter(([it]) => it === name).map(([, text]) => text).join('')
  assert.equal(of('out'), 'one\nthree\n')
  assert.equal(of('err'), 'two\n')
})

test('a command that fails throws CommandExitError', async () => {
  await assert.rejects(commands.run('echo gone; echo wrong >&2; exit 42'), (error) => {
    assert.ok(error instanceof CommandExitError)
    assert.equal(error.exitCode, 42)
    assert.equal(error.stdout, 'gone\n')
    assert.equal(error.stderr, 'wrong\n')
    assert.equal(error.error, 'exit status 42')
    return true
  })
})

test('a command that the shell does not find exits 127', async () => {
  await assert.rejects(commands.run('no-such-command-at-all'), (error) => {
    assert.equal(error.exitCode, 127)
    assert.match(error.stderr, /no-such-command-at-all/)
    return true
  })
})

test('background and wait', async () => {
  const handle = await commands.run('echo hello; exit 0', { background: true })
  assert.ok(handle.pid > 0)
  const result = await handle.wait()
  assert.equal(result.stdout, 'hello\n')
  assert.equal(result.exitCode, 0)
})

test('sendStdin and closeStdin feed a command', async () => {
  const handle = await commands.run('cat; echo end', { background: true, stdin: true })
  await commands.sendStdin(handle.pid, 'Hello, ')
  await commands.sendStdin(handle.pid, '')
  await handle.sendStdin('Wörld\n')
  await commands.closeStdin(handle.pid)
  const result = await handle.wait()
  assert.equal(result.stdout, 'Hello, Wörld\nend\n')
})

test('without stdin a command reads end of file at once', async () => {
  const result = await commands.run('cat; read x || echo none')
  assert.equal(result.stdout, 'none\n')
})

test('kill is true, and the process is gone when wait has thrown', async () => {
  const handle = await commands.run('sleep 600', { background: true })
  assert.equal(await exists(handle.pid), true)
  assert.equal(await commands.kill(handle.pid), true)
  await assert.rejects(handle.wait(), (error) => {
    assert.ok(error instanceof CommandExitError)
    assert.equal(error.exitCode, -1)
    assert.equal(error.error, 'signal: killed')
    return true
  })
  assert.equal(await exists(handle.pid), false)
})

test('kill of an unknown process is false', async () => {
  assert.equal(await commands.kill(4_000_000), false)
})

test('kill of an ended process is false', async () => {
  const handle = await commands.run('true', { background: true })
  await handle.wait()
  assert.equal(await handle.kill(), false)
})

test('list shows what runs, with what it was started with', async () => {
  const handle = await commands.run('sleep 601', { background: true, envs: { A: '1' }, cwd: '/tmp' })
  const found = (await commands.list()).find((it) => it.pid === handle.pid)
  assert.equal(found.cmd, '/bin/bash')
  assert.deepEqual(found.args, ['-l', '-c', 'sleep 601'])
  assert.deepEqual(found.envs, { A: '1' })
  assert.equal(found.cwd, '/tmp')
  await handle.kill()
  await handle.wait().catch(() => {})
  assert.equal((await commands.list()).some((it) => it.pid === handle.pid), false)
})

test('disconnect leaves the process, and connect follows it on', async () => {
  const first = expectText('first')
  const handle = await commands.run('echo first; read line; echo "got $line"', {
    background: true,
    stdin: true,
    onStdout: (text) => { first.feed(text) },
  })
  await first.done
  await handle.disconnect()
  const again = await commands.connect(handle.pid)
  assert.equal(again.pid, handle.pid)
  await commands.sendStdin(handle.pid, 'later\n')
  const result = await again.wait()
  assert.equal(result.stdout, 'got later\n')
})

test('two clients follow one process', async () => {
  const one = await commands.run('read line; echo "both $line"', { background: true, stdin: true })
  const two = await commands.connect(one.pid)
  await commands.sendStdin(one.pid, 'see\n')
  assert.equal((await one.wait()).stdout, 'both see\n')
  assert.equal((await two.wait()).stdout, 'both see\n')
})

test('connect to an unknown process throws NotFoundError', async () => {
  await assert.rejects(commands.connect(4_000_000), NotFoundError)
})

test('a timeout throws TimeoutError and ends the process', async () => {
  const handle = await commands.run('echo $$; sleep 600', { background: true, timeoutMs: 1000 })
  await assert.rejects(handle.wait(), (error) => {
    assert.ok(error instanceof TimeoutError, String(error))
    assert.ok(!(error instanceof CommandExitError))
    return true
  })
  const gone = async () => !(await exists(handle.pid))
  const deadline = Date.now() + 20_000
  while (!(await gone())) assert.ok(Date.now() < deadline, 'still there')
})

test('environment variables of the call reach the command', async () => {
  const result = await commands.run('echo "$COLOUR-$HOME"', { envs: { COLOUR: 'blue with space' } })
  assert.equal(result.stdout.split('-')[0], 'blue with space')
})

test('a command starts in the given directory', async () => {
  const result = await commands.run('pwd', { cwd: '/usr/bin' })
  assert.equal(result.stdout, '/usr/bin\n')
})

test('a directory that does not exist is an error that names it', async () => {
  await assert.rejects(commands.run('pwd', { cwd: '/no/such/directory' }), /\/no\/such\/directory/)
})

test('a command runs as the given user', { skip: otherUser ? false : 'needs root and a second account' }, async () => {
  const result = await commands.run('whoami; echo ~; pwd', { user: otherUser })
  assert.equal(result.stdout, `${otherUser}\n/home/${otherUser}\n/home/${otherUser}\n`)
})

test('an unknown user is an error that names it', async () => {
  await assert.rejects(commands.run('true', { user: 'nobody-knows' }), /nobody-knows/)
})

test('a character that comes in two pieces stays whole', async () => {
  const ready = expectText('ready')
  const handle = await commands.run(
    String.raw`printf '\xe2\x82'; echo ready >&2; read line; printf '\xac \xf0\x9f'; echo more >&2; read line; printf '\x90\xa6\n'`,
    { background: true, stdin: true, onStderr: (text) => { ready.feed(text) } },
  )
  await ready.done
  await commands.sendStdin(handle.pid, '\n')
  await commands.sendStdin(handle.pid, '\n')
  assert.equal((await handle.wait()).stdout, '€ 🐦\n')
})

test('bytes that are no UTF-8 become replacement characters', async () => {
  const result = await commands.run(String.raw`printf 'a\xffb\xe2'`)
  assert.equal(result.stdout, 'a\ufffdb\ufffd')
})

test('megabytes arrive whole and in order', async () => {
  const result = await commands.run('seq 1 300000')
  const lines = result.stdout.split('\n')
  assert.equal(lines.length, 300_001)
  assert.ok(lines.every((line, i) => line === (i < 300_000 ? String(i + 1) : '')))
})

test('fifty commands at once', async () => {
  const results = await Promise.all(Array.from({ length: 50 }, (_, i) => commands.run(`echo ${i}; exit 0`)))
  results.forEach((result, i) => assert.equal(result.stdout, `${i}\n`))
})
