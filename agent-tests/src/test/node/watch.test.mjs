import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { after, test } from 'node:test'
import { InvalidArgumentError, FileNotFoundError, TimeoutError } from 'e2b'
import { place, sandbox } from './sandbox.mjs'

const { files } = sandbox

// A watch that a failed case leaves open would hold this program.
const open = []
after(() => Promise.all(open.map((handle) => handle.stop())))

/** What a watch has reported; `saw` resolves with the event once there is one of that type and name. */
async function watching(path, options = {}) {
  const events = []
  let waiting = []
  const handle = await files.watchDir(path, (event) => {
    events.push(event)
    waiting = waiting.filter(({ type, name, resolve }) => {
      if (event.type !== type || event.name !== name) return true
      resolve(event)
      return false
    })
  }, options)
  open.push(handle)
  return {
    handle,
    events,
    saw(type, name) {
      const found = events.find((it) => it.type === type && it.name === name)
      return found ?? new Promise((resolve) => waiting.push({ type, name, resolve }))
    },
  }
}

test('every kind of change is seen, with the bare name', async () => {
  const directory = place()
  const { handle, saw, events } = await watching(directory)
  writeFileSync(`${directory}/file`, '')
  await saw('create', 'file')
  writeFileSync(`${directory}/file`, 'text')
  await saw('write', 'file')
  chmodSync(`${directory}/file`, 0o600)
  await saw('chmod', 'file')
  renameSync(`${directory}/file`, `${directory}/renamed`)
  await saw('rename', 'file')
  await saw('create', 'renamed')
  rmSync(`${directory}/renamed`)
  await saw('remove', 'renamed')
  assert.ok(events.every((it) => it.entry === undefined))
  await handle.stop()
})

test('an upload of a new file is a create first, under its own name only', async () => {
  const directory = place()
  const { handle, saw, events } = await watching(directory)
  await files.write(`${directory}/new.txt`, 'text')
  await saw('create', 'new.txt')
  await files.remove(`${directory}/new.txt`)
  await saw('remove', 'new.txt')
  assert.equal(events[0].type, 'create')
  assert.deepEqual([...new Set(events.map((it) => it.name))], ['new.txt'])
  await handle.stop()
})

for (const useOctetStream of [false, true]) {
  test(`an upload over a file is a write (${useOctetStream ? 'raw body' : 'multipart'})`, async () => {
    const directory = place()
    await files.write(`${directory}/file.txt`, 'before')
    const { handle, saw, events } = await watching(directory)
    await files.write(`${directory}/file.txt`, 'after', { useOctetStream })
    await saw('write', 'file.txt')
    assert.deepEqual([...new Set(events.map((it) => it.name))], ['file.txt'])
    await handle.stop()
  })
}

test('makeDir and rename through the API are seen', async () => {
  const directory = place()
  const { handle, saw } = await watching(directory)
  await files.makeDir(`${directory}/dir`)
  await saw('create', 'dir')
  await files.rename(`${directory}/dir`, `${directory}/other`)
  await saw('rename', 'dir')
  await saw('create', 'other')
  await handle.stop()
})

test('without recursive, what happens below is not seen', async () => {
  const directory = place()
  mkdirSync(`${directory}/dir`)
  const { handle, saw, events } = await watching(directory)
  writeFileSync(`${directory}/dir/below`, 'x')
  writeFileSync(`${directory}/last`, 'x')
  await saw('create', 'last')
  assert.ok(events.every((it) => !it.name.includes('/')))
  await handle.stop()
})

test('with recursive, names are relative to the watched directory', async () => {
  const directory = place()
  mkdirSync(`${directory}/dir/deeper`, { recursive: true })
  const { handle, saw } = await watching(directory, { recursive: true })
  await files.write(`${directory}/dir/file.txt`, 'x')
  await saw('create', 'dir/file.txt')
  await files.write(`${directory}/dir/deeper/file.txt`, 'x')
  await saw('create', 'dir/deeper/file.txt')
  await handle.stop()
})

test('a directory made after the start is watched too, with all that is in it', async () => {
  const directory = place()
  const { handle, saw, events } = await watching(directory, { recursive: true })
  await sandbox.commands.run(`cd ${directory} && mkdir -p a/b/c && touch a/b/c/f`)
  await saw('create', 'a/b/c/f')
  writeFileSync(`${directory}/a/b/later`, 'x')
  await saw('create', 'a/b/later')
  const created = events.filter((it) => it.type === 'create').map((it) => it.name)
  assert.deepEqual([...created].sort(), ['a', 'a/b', 'a/b/c', 'a/b/c/f', 'a/b/later'])
  await handle.stop()
})

test('with includeEntry an event says what the entry is', async () => {
  const directory = place()
  const { handle, saw } = await watching(directory, { includeEntry: true })
  await files.write(`${directory}/file`, 'four', { metadata: { a: '1' } })
  const event = await saw('create', 'file')
  assert.equal(event.entry.path, `${directory}/file`)
  assert.equal(event.entry.type, 'file')
  await files.remove(`${directory}/file`)
  assert.equal((await saw('remove', 'file')).entry, undefined)
  await files.makeDir(`${directory}/dir`)
  assert.equal((await saw('create', 'dir')).entry.type, 'dir')
  await handle.stop()
})

test('network mounts may be allowed where there is none', async () => {
  const directory = place()
  const { handle, saw } = await watching(directory, { allowNetworkMounts: true })
  writeFileSync(`${directory}/file`, '')
  await saw('create', 'file')
  await handle.stop()
})

test('stop ends it and calls onExit once', async () => {
  const directory = place()
  let exits = 0
  let exited
  const done = new Promise((resolve) => { exited = resolve })
  const { handle, events } = await watching(directory, { onExit: () => { exits++; exited() } })
  await handle.stop()
  await done
  writeFileSync(`${directory}/file`, '')
  const { handle: second, saw } = await watching(directory)
  writeFileSync(`${directory}/file2`, '')
  await saw('create', 'file2')
  await second.stop()
  assert.deepEqual([exits, events], [1, []])
})

test('a watch ends at its time limit with TimeoutError', async () => {
  const error = await new Promise((resolve, reject) => {
    watching(place(), { timeoutMs: 1000, onExit: resolve }).catch(reject)
  })
  assert.ok(error instanceof TimeoutError, String(error))
})

test('several watches of one directory all see', async () => {
  const directory = place()
  const watches = await Promise.all(Array.from({ length: 5 }, () => watching(directory)))
  writeFileSync(`${directory}/file`, '')
  await Promise.all(watches.map(({ saw }) => saw('create', 'file')))
  await Promise.all(watches.map(({ handle }) => handle.stop()))
})

test('a file or a missing path cannot be watched', async () => {
  const directory = place()
  writeFileSync(`${directory}/file`, '')
  await assert.rejects(files.watchDir(`${directory}/file`, () => {}), InvalidArgumentError)
  await assert.rejects(files.watchDir(`${directory}/missing`, () => {}), FileNotFoundError)
})
