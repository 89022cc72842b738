import { basename } from 'node:path'

// One JSON object per test, for a program that reads along: {"file", "name", "ok", "skipped", "millis", "error"}.
export default async function* reporter(source) {
  for await (const event of source) {
    if (event.type !== 'test:pass' && event.type !== 'test:fail') continue
    const { name, details, skip, nesting, file } = event.data
    if (nesting > 0 || details?.type === 'suite') continue
    const error = details?.error?.cause ?? details?.error
    yield JSON.stringify({
      file: basename(file ?? '', '.test.mjs'),
      name,
      ok: event.type === 'test:pass',
      skipped: skip === undefined ? '' : String(skip === true ? 'skipped' : skip),
      millis: Math.round(details?.duration_ms ?? 0),
      error: event.type === 'test:pass' ? '' : String(error?.stack ?? error),
    }) + '\n'
  }
}
