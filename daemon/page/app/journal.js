/* journal.js: the calls that were made from here, with what came of them. */
import { append, makeStore } from '../shared/store.js'
import { call, Problem } from './api.js'

const limit = 500

/**
 * @typedef {object} Entry
 * @property {Date} time
 * @property {string} socket  its id, or ''
 * @property {string} what  "POST recv"
 * @property {string} sent  the parameters
 * @property {string} outcome
 * @property {boolean} failed
 * @property {number} [duration_us]  by the daemon's clock
 */

/** @type {{get: () => Entry[], set: (entries: Entry[]) => void, watch: Function}} */
export const journal = makeStore([])

const brief = (value) => {
    const json = JSON.stringify(value) ?? ''
    return json.length > 200 ? `${json.slice(0, 200)}…` : json
}

function note(request, began, outcome, failed, reply) {
    const [, socket = '', action = ''] = /^\/v1\/sockets\/([^/]+)\/?(.*)$/.exec(request.path) ?? []
    const { duration_us } = reply ?? {}
    const what = `${request.method} ${action || request.path}`
    const sent = brief(request.body ?? request.query)
    const entry = { time: began, socket: socket || (reply?.id ?? ''), what, sent, outcome, failed, duration_us }
    journal.set(append(journal.get(), [entry], limit))
}

/** Makes a call and notes it. */
export async function act(request, options) {
    const began = new Date()
    try {
        const reply = await call(request, options)
        note(request, began, brief(reply), false, reply)
        return reply
    } catch (error) {
        if (error.name !== 'AbortError') note(request, began, error.message, true, error instanceof Problem ? error.body : null)
        throw error
    }
}

export const actOn = (id, action, body, options) =>
    act({ method: 'POST', path: `/v1/sockets/${encodeURIComponent(id)}/${action}`, body }, options)
