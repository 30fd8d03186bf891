/* event-log.js: all events, the newest first. */
import { html, useState } from '../shared/dom.js'
import { useStore } from '../shared/store.js'
import { EventRow } from './event-row.js'
import { events, phase } from './feed.js'

const shownMost = 300

export function EventLog() {
    const live = useStore(events)
    const [held, setHeld] = useState(null) // what was there when it was paused
    const [filter, setFilter] = useState('')
    const polling = useStore(phase) === 'polling'
    const found = (held ?? live)
        .filter((event) => JSON.stringify(event).includes(filter))
        .slice(-shownMost)
        .reverse()
    return html`<h1>Events</h1>
        ${polling && html`<p class="hint">This daemon has no /v1/events: its sockets are listed each second instead.</p>`}
        <div class="bar">
            <label>Filter
                <input type="search" value=${filter} oninput=${(event) => setFilter(event.target.value)} placeholder="a kind, an id, a label" />
            </label>
            <button aria-pressed=${held !== null} onclick=${() => setHeld(held === null ? live : null)}>${held === null ? 'Pause' : 'Go on'}</button>
            <span>${found.length} shown</span>
        </div>
        <ol class="log">${found.map((event) => html`<${EventRow} key=${event.sequence} event=${event} />`)}</ol>`
}
