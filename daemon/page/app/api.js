/* api.js: calls to the daemon. */
import { targetOf } from '../shared/curl.js'
import { authorization } from './token.js'

/** A reply that is a problem (RFC 9457): the request was unsound, or the kernel refused. */
export class Problem extends Error {
    /** @param {number} status @param {object} body */
    constructor(status, body) {
        super([body.errno, body.detail ?? body.title].filter(Boolean).join(': ') || `HTTP status ${status}`)
        this.status = status
        this.body = body
    }
}

async function readJson(response) {
    const text = await response.text()
    try {
        return text === '' ? {} : JSON.parse(text)
    } catch {
        return { detail: text }
    }
}

/**
 * Rejects with a Problem, or with a TypeError when there is no reply at all.
 * @param {{method: string, path: string, query?: object, body?: object, file?: Blob}} request
 * @param {{signal?: AbortSignal, headers?: object}} [options]
 */
export async function exchange(request, { signal, headers } = {}) {
    const { method, body, file } = request
    const type = file ? 'application/octet-stream' : body === undefined ? null : 'application/json'
    const response = await fetch(targetOf(request), {
        method,
        signal,
        cache: 'no-store',
        headers: { ...authorization(), ...(type && { 'Content-Type': type }), ...headers },
        body: file ?? (body === undefined ? undefined : JSON.stringify(body)),
    })
    if (!response.ok) throw new Problem(response.status, await readJson(response))
    return response
}

/** The same, and what the reply says. @returns {Promise<any>} */
export async function call(request, options) {
    return readJson(await exchange(request, options))
}

export const get = (path, query) => call({ method: 'GET', path, query })
export const post = (path, body, options) => call({ method: 'POST', path, body }, options)
