/* sockets.js: the sockets as the daemon last listed them, and how fast their bytes go. */
import { makeStore } from '../shared/store.js'
import { get } from './api.js'

const page = 1000
const most = 5000

/**
 * `rates`: bytes per second by id, since the time before.
 * @type {{get: () => {list: object[], rates: Map<string, {in: number, out: number}>, more: boolean, time: number}}}
 */
export const sockets = makeStore({ list: [], rates: new Map(), more: false, time: 0 })

async function list() {
    const found = []
    let cursor = null
    do {
        const reply = await get('/v1/sockets', { limit: page, ...(cursor && { cursor }) })
        found.push(...reply.sockets)
        cursor = reply.next
    } while (cursor && found.length < most)
    return { found, more: cursor !== null }
}

function rate(socket, before, seconds) {
    const per = (name) => Math.max(0, (socket[name] - before[name]) / seconds)
    return { in: per('received_bytes'), out: per('sent_bytes') }
}

/** Lists them anew. Rejects as call() does. */
export async function refresh() {
    const { found, more } = await list()
    const before = sockets.get()
    const time = performance.now()
    const seconds = (time - before.time) / 1000
    const known = new Map(before.list.map((socket) => [socket.id, socket]))
    const rates = new Map(
        found.filter(({ id }) => known.has(id)).map((socket) => [socket.id, rate(socket, known.get(socket.id), seconds)]),
    )
    sockets.set({ list: found, rates, more, time })
}
