import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CommandExitError } from 'e2b'
import { sandbox } from './sandbox.mjs'

const { pty, commands } = sandbox
const bytes = (text) => new TextEncoder().encode(text)

/** What a terminal shows; `saw` resolves when a pattern is there. */
function screen() {
  const decoder = new TextDecoder()
  let text = ''
  let waiting = []
  return {
    onData(data) {
      text += decoder.decode(data, { stream: true })
      waiting = waiting.filter(({ pattern, resolve }) => {
        if (!pattern.test(text)) return true
        resolve(text)
        return false
      })
    },
    saw(pattern) {
      if (pattern.test(text)) return text
      return new Promise((resolve) => waiting.push({ pattern, resolve }))
    },
  }
}

async function terminal(options = {}) {
  const shown = screen()
  const handle = await pty.create({ cols: 80, rows: 24, onData: shown.onData, timeoutMs: 60_000, ...options })
  return { handle, shown, type: (text) => pty.sendInput(handle.pid, bytes(text)) }
}

test('a terminal has its size and takes another', async () => {
  const { handle, shown, type } = await terminal({ cols: 101, rows: 31 })
  await type('echo size=$(stty size)=\n')
  await shown.saw(/size=31 101=/)
  await pty.resize(handle.pid, { cols: 77, rows: 22 })
  await type('echo size=$(stty size)=$(tput cols)\n')
  await shown.saw(/size=22 77=77/)
  await type('exit\n')
  assert.equal((await handle.wait()).exitCode, 0)
})

test('a terminal has the environment, directory and defaults asked for', async () => {
  const { handle, shown, type } = await terminal({ envs: { COLOUR: 'blue' }, cwd: '/usr' })
  await type('echo "=$COLOUR=$TERM=$LANG=$PWD="\n')
  await shown.saw(/=blue=xterm-256color=C.UTF-8=\/usr=/)
  await type('exit 0\n')
  await handle.wait()
})

test('exit gives the exit code', async () => {
  const { handle, type } = await terminal()
  await type('exit 7\n')
  await assert.rejects(handle.wait(), (error) => {
    assert.ok(error instanceof CommandExitError)
    assert.equal(error.exitCode, 7)
    return true
  })
})

test('Ctrl-C stops the foreground program, not the shell', async () => {
  const { handle, shown, type } = await terminal()
  // What is printed comes from the foreground program: one that the shell is about to start might miss the key.
  await type(`sh -c 'echo run""ning; exec sleep 600'\n`)
  await shown.saw(/running\r/)
  await type('\x03')
  await type('echo code=$?=\n')
  await shown.saw(/code=130=/)
  await type('exit 0\n')
  assert.equal((await handle.wait()).exitCode, 0)
})

test('kill is true and ends it; an unknown one is false', async () => {
  const { handle } = await terminal()
  assert.equal(await pty.kill(handle.pid), true)
  await assert.rejects(handle.wait(), CommandExitError)
  assert.equal(await pty.kill(handle.pid), false)
  assert.equal(await pty.kill(4_000_000), false)
})

test('a terminal outlives its client and is followed on', async () => {
  const { handle, shown, type } = await terminal()
  await type('WORD=remem""bered; echo r""eady\n')
  await shown.saw(/ready\r/)
  await handle.disconnect()
  assert.ok((await commands.list()).some((it) => it.pid === handle.pid))

  const again = screen()
  const second = await pty.connect(handle.pid, { onData: again.onData })
  assert.equal(second.pid, handle.pid)
  await type('echo "it is $WORD"\n')
  await again.saw(/it is remembered/)
  await type('exit 0\n')
  assert.equal((await second.wait()).exitCode, 0)
})
