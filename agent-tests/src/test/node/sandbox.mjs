// The sandbox under test. E2B_SANDBOX_URL says where the agent listens. With E2B_DEBUG=true it is open; with
// E2B_API_URL a control plane says which token it takes. Everything else is the package's own default.
import { chmodSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Sandbox } from 'e2b'

/** Whether the agent asks for an access token. */
export const secured = process.env.E2B_API_URL !== undefined

export const sandbox = await Sandbox.create({ debug: !secured, envs: { FROM_CREATE: 'as asked' } })

/** A second account of the agent's machine, if there is one and the agent may switch to it. */
export const otherUser = process.env.SANDPIPER_TEST_USER || undefined

/** A fresh directory on the agent's machine, which is this one, that every user may write to. */
export function place() {
  const path = mkdtempSync(join(process.env.SANDPIPER_TEST_DIRECTORY || tmpdir(), 'case-'))
  chmodSync(path, 0o777)
  return path
}

/** Resolves when a piece of text has been seen; feed it from a callback. */
export function expectText(text) {
  let seen = ''
  let resolve
  const done = new Promise((it) => { resolve = it })
  return {
    feed(part) {
      seen += part
      if (seen.includes(text)) resolve(seen)
    },
    done,
  }
}
