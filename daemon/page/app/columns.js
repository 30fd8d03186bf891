/* columns.js: the columns of the socket table, one row each. */
import * as format from './format.js'

/**
 * @typedef {object} Column
 * @property {string} name
 * @property {(socket: object, rates: Map<string, object>) => string | number} value  to sort by
 * @property {(value: any) => string} [show]
 * @property {boolean} [number]
 */

/** @type {Column[]} */
export const columns = [
    { name: 'Netid', value: format.netid },
    { name: 'State', value: format.state },
    { name: 'Recv-Q', value: (socket) => socket.receive_queue, number: true },
    { name: 'Send-Q', value: (socket) => socket.send_queue, number: true },
    { name: 'Local', value: (socket) => format.address(socket.local) },
    { name: 'Peer', value: (socket) => format.address(socket.peer) },
    { name: 'In', value: ({ id }, rates) => rates.get(id)?.in ?? 0, show: format.rate, number: true },
    { name: 'Out', value: ({ id }, rates) => rates.get(id)?.out ?? 0, show: format.rate, number: true },
    {
        name: 'Age',
        value: (socket) => Math.max(0, (Date.now() - Date.parse(socket.created)) / 1000),
        show: format.age,
        number: true,
    },
    { name: 'Owner', value: (socket) => socket.owner ?? '' },
    { name: 'Label', value: (socket) => socket.label ?? '' },
]

const textOf = (socket, rates) =>
    Object.fromEntries([
        ['id', socket.id],
        ...columns.map(({ name, value }) => [name.toLowerCase(), String(value(socket, rates))]),
    ])

/* "state:listen" looks in one column, "listen" in all. */
function matches(texts, term) {
    const [, name, rest] = /^([a-z-]+):(.+)$/.exec(term) ?? []
    const within = name in texts ? [texts[name]] : Object.values(texts)
    const wanted = name in texts ? rest : term
    return within.some((text) => text.toLowerCase().includes(wanted))
}

/** Those that have all words of the filter. */
export function filterSockets(list, rates, filter) {
    const terms = filter.toLowerCase().split(/\s+/).filter(Boolean)
    return terms.length === 0 ? list : list.filter((socket) => terms.every((term) => matches(textOf(socket, rates), term)))
}

const compare = (a, b) => (typeof a === 'number' ? a - b : a.localeCompare(b, 'en', { numeric: true }))

/** By a column; up or down. Without one, as they were made. */
export function sortSockets(list, rates, { name, down }) {
    const column = columns.find((each) => each.name === name)
    if (!column) return list
    const keyed = list.map((socket) => [column.value(socket, rates), socket]).sort(([a], [b]) => compare(a, b))
    return (down ? keyed.reverse() : keyed).map(([, socket]) => socket)
}
