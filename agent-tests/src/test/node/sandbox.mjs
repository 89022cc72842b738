// The sandbox under test. E2B_SANDBOX_URL says where the agent listens; everything else is the package's own default.
import { Sandbox } from 'e2b'

export const sandbox = await Sandbox.create({ debug: true })

/** A second account of the agent's machine, if there is one and the agent may switch to it. */
export const otherUser = process.env.SANDPIPER_TEST_USER || undefined

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
