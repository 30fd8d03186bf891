/* event-row.js: one event of the daemon. */
import { html } from '../shared/dom.js'
import { plain } from '../shared/escape.js'
import * as format from './format.js'
import { link } from './route.js'

/* What an event says beside its kind, time and socket. */
const details = [
    ['label', plain],
    ['session', plain],
    ['bytes', format.bytes],
    ['errno', plain],
    ['peer', (peer) => plain(format.address(peer))],
    ['parent', plain],
    ['call', plain],
    ['missed', plain],
]

export function EventRow({ event }) {
    const said = details.filter(([name]) => event[name] !== undefined && event[name] !== null)
    return html`<li class=${['error', 'reset', 'gap'].includes(event.kind) ? 'bad' : ''}>
        <time>${format.clock(event.time)}</time> <strong>${plain(event.kind)}</strong>
        ${event.socket && html` <a href=${link('sockets', event.socket)}>${event.socket}</a>`}
        <span class="dim">${said.map(([name, show]) => ` ${name} ${show(event[name])}`)}</span>
    </li>`
}
