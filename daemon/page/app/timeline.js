/* timeline.js: what happened to one socket: its events, and the calls made from here. */
import { html } from '../shared/dom.js'
import { plain } from '../shared/escape.js'
import { useStore } from '../shared/store.js'
import { EventRow } from './event-row.js'
import { events } from './feed.js'
import * as format from './format.js'
import { journal } from './journal.js'

/** @param {{entry: import('./journal.js').Entry}} props */
function CallRow({ entry }) {
    const took = entry.duration_us === undefined ? '' : ` ${entry.duration_us} µs`
    return html`<li class=${entry.failed ? 'bad' : ''}>
        <time>${format.clock(entry.time)}</time> <strong>${plain(entry.what)}</strong> ${plain(entry.sent)}
        <div class="dim">${plain(entry.outcome)}${took}</div>
    </li>`
}

export function Timeline({ id }) {
    const calls = useStore(journal)
        .filter(({ socket }) => socket === id)
        .map((entry) => ({ time: entry.time.getTime(), row: html`<${CallRow} entry=${entry} />` }))
    const happened = useStore(events)
        .filter(({ socket }) => socket === id)
        .map((event) => ({ time: Date.parse(event.time), row: html`<${EventRow} event=${event} />` }))
    const rows = [...calls, ...happened].sort((a, b) => b.time - a.time)
    return html`<ol class="log">${rows.map(({ row }) => row)}</ol>
        ${rows.length === 0 && html`<p class="hint">Nothing has happened to it since this page was opened.</p>`}`
}
