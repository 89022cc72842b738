import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { AuthenticationError, FileNotFoundError, InvalidArgumentError } from 'e2b'
import { otherUser, place, sandbox } from './sandbox.mjs'

const { files, commands } = sandbox
const encode = (text) => new TextEncoder().encode(text)
const everyByte = Uint8Array.from({ length: 1024 }, (_, i) => i % 256)

/** A stream of so many pieces, each made when it is asked for. */
function pieces(count, make) {
  let i = 0
  return new ReadableStream({
    pull(controller) {
      if (i === count) controller.close()
      else controller.enqueue(make(i++))
    },
  })
}

async function whole(stream) {
  const parts = []
  for await (const part of stream) parts.push(Buffer.from(part))
  return Buffer.concat(parts)
}

async function me() {
  return (await commands.run('id -un; id -gn')).stdout.trim().split('\n')
}

test('what was written is read back', async () => {
  const path = `${place()}/note.txt`
  const info = await files.write(path, 'Grüße, 世界\n')
  assert.equal(info.name, 'note.txt')
  assert.equal(info.path, path)
  assert.equal(info.type, 'file')
  assert.equal(info.metadata, undefined)
  assert.equal(await files.read(path), 'Grüße, 世界\n')
  assert.equal(readFileSync(path, 'utf8'), 'Grüße, 世界\n')
})

for (const gzip of [false, true]) {
  const how = gzip ? 'with gzip' : 'without gzip'

  test(`a file is the same in every format, ${how}`, async () => {
    const path = `${place()}/bytes`
    await files.write(path, everyByte.buffer)
    assert.deepEqual(await files.read(path, { format: 'bytes', gzip }), everyByte)
    const blob = await files.read(path, { format: 'blob', gzip })
    assert.deepEqual(new Uint8Array(await blob.arrayBuffer()), everyByte)
    assert.deepEqual(new Uint8Array(await whole(await files.read(path, { format: 'stream', gzip }))), everyByte)
    assert.equal(await files.read(path, { gzip }), new TextDecoder().decode(everyByte))
  })

  test(`an empty file is empty in every format, ${how}`, async () => {
    const path = `${place()}/empty`
    await files.write(path, '', { gzip })
    assert.equal(statSync(path).size, 0)
    assert.equal(await files.read(path, { gzip }), '')
    assert.equal((await files.read(path, { format: 'bytes', gzip })).length, 0)
    assert.equal((await files.read(path, { format: 'blob', gzip })).size, 0)
    assert.equal((await whole(await files.read(path, { format: 'stream', gzip }))).length, 0)
  })
}

const forms = {
  'as multipart': {},
  'as a raw body': { useOctetStream: true },
  'compressed': { gzip: true },
}
for (const [how, options] of Object.entries(forms)) {
  test(`text, bytes, a blob and a stream are written ${how}`, async () => {
    const directory = place()
    const kinds = {
      text: () => 'some text',
      bytes: () => encode('some text').buffer,
      blob: () => new Blob(['some ', 'text']),
      stream: () => pieces(9, (i) => encode('some text'[i])),
    }
    for (const [kind, data] of Object.entries(kinds)) {
      const info = await files.write(`${directory}/${kind}`, data(), options)
      assert.equal(info.path, `${directory}/${kind}`)
      assert.equal(readFileSync(`${directory}/${kind}`, 'utf8'), 'some text')
    }
  })

  test(`several files are written ${how} and answered in order`, async () => {
    const directory = place()
    const entries = Array.from({ length: 12 }, (_, i) => ({ path: `${directory}/d${i % 3}/${i}.txt`, data: `file ${i}` }))
    const infos = await files.write(entries, options)
    assert.deepEqual(infos.map((it) => it.path), entries.map((it) => it.path))
    assert.deepEqual(infos.map((it) => it.name), entries.map((_, i) => `${i}.txt`))
    for (const { path, data } of entries) assert.equal(readFileSync(path, 'utf8'), data)
    assert.deepEqual(await files.writeFiles([], options), [])
  })

  test(`names with spaces, signs and letters of all kinds are written ${how}`, async () => {
    const directory = place()
    for (const name of ['a b.txt', 'ü世🐦.txt', 'plus+and%41.txt', 'what?#&=;.txt', "'quoted'.txt", '.hidden']) {
      const info = await files.write(`${directory}/${name}`, name, options)
      assert.equal(info.name, name)
      assert.equal(readFileSync(`${directory}/${name}`, 'utf8'), name)
      assert.equal(await files.read(`${directory}/${name}`), name)
      assert.equal((await files.getInfo(`${directory}/${name}`)).name, name)
    }
  })
}

test('megabytes are streamed up and down whole', async () => {
  const path = `${place()}/big`
  const piece = (i) => new Uint8Array(64 * 1024).fill(i)
  const expected = createHash('sha256')
  for (let i = 0; i < 256; i++) expected.update(piece(i))
  const digest = expected.digest('hex')
  for (const gzip of [false, true]) {
    await files.write(path, pieces(256, piece), { gzip })
    assert.equal(statSync(path).size, 16 * 1024 * 1024)
    const actual = createHash('sha256')
    for await (const part of await files.read(path, { format: 'stream', gzip })) actual.update(part)
    assert.equal(actual.digest('hex'), digest)
  }
})

test('overwriting keeps working, also with less', async () => {
  const path = `${place()}/again`
  for (const text of ['a long first text', 'short', '', 'and back again']) {
    await files.write(path, text)
    assert.equal(await files.read(path), text)
  }
})

test('writing makes the directories that are missing', async () => {
  const directory = place()
  await files.write(`${directory}/a/b/c.txt`, 'deep')
  assert.equal(await files.read(`${directory}/a/b/c.txt`), 'deep')
  assert.equal((await files.getInfo(`${directory}/a/b`)).type, 'dir')
})

test('many files at once are all written', async () => {
  const directory = place()
  await Promise.all(Array.from({ length: 40 }, (_, i) => files.write(`${directory}/${i}`, `number ${i}`)))
  const read = await Promise.all(Array.from({ length: 40 }, (_, i) => files.read(`${directory}/${i}`)))
  read.forEach((text, i) => assert.equal(text, `number ${i}`))
  assert.equal((await files.list(directory)).length, 40)
})

test('a directory is no file to read or write', async () => {
  const directory = place()
  await assert.rejects(files.read(directory), InvalidArgumentError)
  await assert.rejects(files.write(directory, 'x'), InvalidArgumentError)
  await assert.rejects(files.write(directory, 'x', { useOctetStream: true }), InvalidArgumentError)
})

test('what is missing throws FileNotFoundError', async () => {
  const missing = `${place()}/missing`
  await assert.rejects(files.read(missing), (error) => {
    assert.ok(error instanceof FileNotFoundError, String(error))
    assert.match(error.message, /missing/)
    return true
  })
  await assert.rejects(files.read(missing, { format: 'stream' }), FileNotFoundError)
  await assert.rejects(files.getInfo(missing), FileNotFoundError)
  await assert.rejects(files.list(missing), FileNotFoundError)
  await assert.rejects(files.rename(missing, `${missing}2`), FileNotFoundError)
  await assert.rejects(files.watchDir(missing, () => {}), FileNotFoundError)
})

test('exists says yes and no', async () => {
  const directory = place()
  await files.write(`${directory}/there`, '')
  assert.equal(await files.exists(`${directory}/there`), true)
  assert.equal(await files.exists(directory), true)
  assert.equal(await files.exists(`${directory}/gone`), false)
})

test('makeDir is true once, false after that, and makes parents', async () => {
  const directory = place()
  assert.equal(await files.makeDir(`${directory}/a/b/c`), true)
  assert.equal(await files.makeDir(`${directory}/a/b/c`), false)
  assert.equal(await files.makeDir(`${directory}/a`), false)
  await files.write(`${directory}/file`, '')
  await assert.rejects(files.makeDir(`${directory}/file`), InvalidArgumentError)
})

test('a file and a directory are made with the modes and owner of their user', async () => {
  const directory = place()
  const [user, group] = await me()
  const before = Date.now()
  await files.write(`${directory}/file`, 'four')
  await files.makeDir(`${directory}/dir`)
  const file = await files.getInfo(`${directory}/file`)
  assert.deepEqual(
    [file.name, file.path, file.type, file.size, file.mode, file.permissions, file.owner, file.group],
    ['file', `${directory}/file`, 'file', 4, 0o644, '-rw-r--r--', user, group],
  )
  assert.equal(file.symlinkTarget, undefined)
  assert.ok(Math.abs(file.modifiedTime.getTime() - before) < 60_000)
  const dir = await files.getInfo(`${directory}/dir`)
  assert.deepEqual([dir.type, dir.mode, dir.permissions, dir.owner, dir.group], ['dir', 0o755, 'drwxr-xr-x', user, group])
})

test('list goes as deep as asked, parents first, by name, with absolute paths', async () => {
  const directory = place()
  for (const path of ['b/z.txt', 'b/a/deep.txt', 'a.txt', 'c/x', 'B.txt']) await files.write(`${directory}/${path}`, '')
  const paths = async (options) => (await files.list(directory, options)).map((it) => it.path)
  const full = (names) => names.map((it) => `${directory}/${it}`)
  assert.deepEqual(await paths(), full(['B.txt', 'a.txt', 'b', 'c']))
  assert.deepEqual(await paths({ depth: 1 }), full(['B.txt', 'a.txt', 'b', 'c']))
  assert.deepEqual(await paths({ depth: 2 }), full(['B.txt', 'a.txt', 'b', 'b/a', 'b/z.txt', 'c', 'c/x']))
  assert.deepEqual(
    await paths({ depth: 3 }), full(['B.txt', 'a.txt', 'b', 'b/a', 'b/a/deep.txt', 'b/z.txt', 'c', 'c/x']))
  await assert.rejects(files.list(directory, { depth: 0 }), InvalidArgumentError)
  await assert.rejects(files.list(`${directory}/a.txt`), InvalidArgumentError)
})

test('an empty directory lists nothing', async () => {
  assert.deepEqual(await files.list(place()), [])
})

test('a symbolic link has the type of its target and the resolved path', async () => {
  const directory = place()
  await files.write(`${directory}/target`, 'here')
  await files.makeDir(`${directory}/dir`)
  symlinkSync('target', `${directory}/one`)
  symlinkSync('one', `${directory}/two`)
  symlinkSync('dir', `${directory}/to-dir`)
  const link = await files.getInfo(`${directory}/two`)
  assert.equal(link.type, 'file')
  assert.equal(link.symlinkTarget, `${directory}/target`)
  assert.equal(await files.read(`${directory}/two`), 'here')
  const listed = await files.list(directory)
  const found = listed.find((it) => it.name === 'to-dir')
  assert.equal(found.type, 'dir')
  assert.equal(found.symlinkTarget, `${directory}/dir`)
  assert.equal(listed.find((it) => it.name === 'target').symlinkTarget, undefined)
})

test('rename moves files and directories, over an old file and into new directories', async () => {
  const directory = place()
  await files.write(`${directory}/a`, 'from a')
  await files.write(`${directory}/old`, 'old')
  const info = await files.rename(`${directory}/a`, `${directory}/old`)
  assert.equal(info.name, 'old')
  assert.equal(info.path, `${directory}/old`)
  assert.equal(await files.read(`${directory}/old`), 'from a')
  assert.equal(await files.exists(`${directory}/a`), false)
  await files.write(`${directory}/dir/inner`, 'inner')
  const moved = await files.rename(`${directory}/dir`, `${directory}/new/place`)
  assert.equal(moved.type, 'dir')
  assert.equal(await files.read(`${directory}/new/place/inner`), 'inner')
})

test('remove takes files, whole directories, links but not their targets, and what is missing', async () => {
  const directory = place()
  await files.write(`${directory}/file`, '')
  await files.write(`${directory}/dir/a/b`, '')
  await files.write(`${directory}/kept`, 'kept')
  symlinkSync('kept', `${directory}/link`)
  for (const name of ['file', 'dir', 'link', 'missing']) await files.remove(`${directory}/${name}`)
  assert.deepEqual((await files.list(directory, { depth: 5 })).map((it) => it.name), ['kept'])
})

test('metadata comes back from upload, info, list and rename', async () => {
  const directory = place()
  const metadata = { author: 'Jane Doe', 'x-rate': '1/2 (~)' }
  const written = await files.write(`${directory}/file`, 'text', { metadata: { Author: 'Jane Doe', 'x-rate': '1/2 (~)' } })
  assert.deepEqual(written.metadata, metadata)
  assert.deepEqual((await files.getInfo(`${directory}/file`)).metadata, metadata)
  assert.deepEqual((await files.list(directory))[0].metadata, metadata)
  assert.deepEqual((await files.rename(`${directory}/file`, `${directory}/other`)).metadata, metadata)
  const several = await files.write(
    [{ path: `${directory}/1`, data: '1' }, { path: `${directory}/2`, data: '2' }], { metadata, gzip: true })
  assert.deepEqual(several.map((it) => it.metadata), [metadata, metadata])
})

test('overwriting replaces the metadata, and without any clears it', async () => {
  const path = `${place()}/file`
  await files.write(path, '1', { metadata: { a: '1', b: '2' } })
  await files.write(path, '2', { metadata: { b: '3' } })
  assert.deepEqual((await files.getInfo(path)).metadata, { b: '3' })
  await files.write(path, '3')
  assert.equal((await files.getInfo(path)).metadata, undefined)
})

test('metadata that something else has set is seen', async () => {
  const directory = place()
  await files.write(`${directory}/file`, 'text', { metadata: { ours: '1' } })
  await commands.run(
    `cd ${directory}; setfattr -n user.e2b.theirs -v 'set outside' file 2>/dev/null ||` +
    ` python3 -c "import os; os.setxattr('file', b'user.e2b.theirs', b'set outside')"`)
  const metadata = { ours: '1', theirs: 'set outside' }
  assert.deepEqual((await files.getInfo(`${directory}/file`)).metadata, metadata)
  assert.deepEqual((await files.list(directory))[0].metadata, metadata)
})

test('metadata that cannot be stored is refused and writes nothing', async () => {
  const path = `${place()}/file`
  await assert.rejects(files.write(path, 'x', { metadata: { key: 'ü' } }), InvalidArgumentError)
  await assert.rejects(files.write(path, 'x', { metadata: { key: 'v'.repeat(5000) } }), InvalidArgumentError)
  assert.equal(await files.exists(path), false)
})

test('a relative path is below the home of the user', async () => {
  const home = (await commands.run('echo ~')).stdout.trim()
  const name = `sandpiper-test-${process.pid}`
  try {
    assert.equal((await files.write(`${name}/note`, 'at home')).path, `${home}/${name}/note`)
    assert.equal(await files.read(`${name}/note`), 'at home')
    assert.deepEqual((await files.list(name)).map((it) => it.path), [`${home}/${name}/note`])
    assert.equal((await files.getInfo(`~/${name}`)).path, `${home}/${name}`)
  } finally {
    await files.remove(`${home}/${name}`)
  }
})

test('files of a given user are that user’s', { skip: otherUser ? false : 'needs root and a second account' }, async () => {
  const user = otherUser
  for (const options of [{ user }, { user, useOctetStream: true }]) {
    const info = await files.write('made/by/sdk', 'mine', options)
    assert.equal(info.path, `/home/${user}/made/by/sdk`)
    const stat = await files.getInfo('made/by/sdk', { user })
    assert.deepEqual([stat.owner, stat.group], [user, user])
    assert.equal((await files.getInfo('made', { user })).owner, user)
    assert.equal(await files.read('made/by/sdk', { user }), 'mine')
    assert.equal(await files.makeDir('made/dir', { user }), true)
    assert.equal((await files.getInfo('made/dir', { user })).owner, user)
    assert.equal((await commands.run('cat made/by/sdk', { user })).stdout, 'mine')
    await files.remove('made', { user })
  }
})

test('an unknown user throws AuthenticationError', async () => {
  const user = 'nobody-knows'
  const path = `${place()}/file`
  await assert.rejects(files.write(path, 'x', { user }), AuthenticationError)
  await assert.rejects(files.read(path, { user }), AuthenticationError)
  await assert.rejects(files.getInfo(path, { user }), AuthenticationError)
  await assert.rejects(files.list(path, { user }), AuthenticationError)
})

test('files of procfs and sysfs are read to their end', async () => {
  for (const path of ['/proc/version', '/proc/cpuinfo', '/proc/sys/kernel/ostype', '/sys/kernel/mm/transparent_hugepage/enabled']) {
    let expected
    try {
      expected = readFileSync(path, 'utf8')
    } catch {
      continue // not on this kernel
    }
    for (const gzip of [false, true]) {
      const text = await files.read(path, { gzip })
      assert.equal(text.replace(/MHz.*/g, ''), expected.replace(/MHz.*/g, ''))
    }
  }
})

test('a path through a file and a loop of links are errors, not hangs', async () => {
  const directory = place()
  writeFileSync(`${directory}/file`, '')
  symlinkSync('loop', `${directory}/loop`)
  for (const path of [`${directory}/file/below`, `${directory}/loop`, `${directory}/${'n'.repeat(5000)}`]) {
    await assert.rejects(files.read(path))
    await assert.rejects(files.write(path, 'x'))
    await assert.rejects(files.list(path))
  }
})
