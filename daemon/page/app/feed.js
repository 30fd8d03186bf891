/* feed.js: follows the daemon: by its events, and where it has none by listing the sockets each second. It outlives the
 * daemon: what is lost is tried again, and events go on behind the last one seen. */
import { append, makeStore } from '../shared/store.js'
import { exchange, Problem } from './api.js'
import { refresh } from './sockets.js'

const eventLimit = 1000
const pollMs = 1000
const retryMs = 1000
const refreshMs = 250 // between two listings, however many events come
const showMs = 100 // between two drawings of them
const quietMs = 5000 // queues drain without an event
const silenceMs = 45000 // three heartbeats

/** 'starting', 'login' (the daemon wants a token), 'live', 'polling' (it has no events), or 'lost'. */
export const phase = makeStore('starting')

/** Why it is lost. */
export const trouble = makeStore('')

/** The newest events, as the daemon sent them. @type {{get: () => object[], set: Function, watch: Function}} */
export const events = makeStore([])

let lastId = null
let pending = [] // not yet among the events
let stopped = new AbortController()
let listing = null
let timer = 0
let due = Infinity

async function refreshNow() {
    due = Infinity
    listing ??= refresh()
        .catch(() => {})
        .finally(() => (listing = null))
    await listing
    if (phase.get() === 'live' && !stopped.signal.aborted) refreshWithin(quietMs)
}

/* What is due sooner stays so. */
function refreshWithin(ms) {
    const time = performance.now() + ms
    if (time >= due) return
    clearTimeout(timer)
    due = time
    timer = setTimeout(refreshNow, ms)
}

/** One frame of the stream as an event; null: a heartbeat. */
function read(frame) {
    const fields = { event: 'message', data: '' }
    for (const line of frame.split('\n')) {
        const [, name, value] = /^([a-z]+): ?(.*)$/.exec(line) ?? []
        if (name === 'data') fields.data += value
        else if (name) fields[name] = value
    }
    if (fields.id !== undefined) lastId = fields.id
    if (fields.data === '') return null
    return { kind: fields.event, time: new Date().toISOString(), ...JSON.parse(fields.data) }
}

function publish() {
    events.set(append(events.get(), pending, eventLimit))
    pending = []
}

function take(frames) {
    const found = frames.map(read).filter(Boolean)
    if (found.length === 0) return
    if (pending.length === 0) setTimeout(publish, showMs)
    pending.push(...found)
    refreshWithin(refreshMs)
}

/* Returns when the stream ends, or is silent for too long; rejects when it breaks. */
async function readStream(reader) {
    const decoder = new TextDecoder()
    let rest = ''
    for (;;) {
        const silence = setTimeout(() => reader.cancel(), silenceMs)
        const { value, done } = await reader.read().finally(() => clearTimeout(silence))
        if (done) return
        const frames = (rest + decoder.decode(value, { stream: true })).split('\n\n')
        rest = frames.pop()
        take(frames)
    }
}

async function followEvents(signal) {
    const headers = { Accept: 'text/event-stream', ...(lastId !== null && { 'Last-Event-ID': lastId }) }
    const response = await exchange({ method: 'GET', path: '/v1/events' }, { signal, headers })
    await refresh()
    phase.set('live')
    refreshWithin(quietMs)
    await readStream(response.body.getReader())
    await pause(retryMs, signal)
}

const pause = (ms, signal) =>
    new Promise((done) => {
        setTimeout(done, ms)
        signal.addEventListener('abort', done, { once: true })
    })

async function poll(signal) {
    while (!signal.aborted) {
        await refresh()
        phase.set('polling')
        await pause(pollMs, signal)
    }
}

/* What a failure means: the next thing to do, or null to try it all again. */
const after = (error) => (error instanceof Problem ? { 401: 'login', 404: 'poll' }[error.status] : undefined) ?? null

async function run(signal) {
    let next = null
    while (!signal.aborted && next !== 'login') {
        try {
            await (next === 'poll' ? poll(signal) : followEvents(signal))
        } catch (error) {
            next = after(error)
            if (next === null && !signal.aborted) {
                trouble.set(error instanceof Problem ? error.message : 'the daemon does not answer')
                phase.set('lost')
                await pause(retryMs, signal)
            }
        }
    }
    if (!signal.aborted) phase.set('login')
}

/* A browser has few connections to one host, for all of its tabs: those that nobody sees keep none. */
document.addEventListener('visibilitychange', () => (document.hidden ? stopped.abort() : follow()))

/** Follows anew, with the token that is there now. */
export function follow() {
    stopped.abort()
    stopped = new AbortController()
    run(stopped.signal)
}
