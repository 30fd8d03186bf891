/* socket-table.js: all sockets, as ss(8) shows them. */
import { html, useEffect, useMemo, useRef, useState } from '../shared/dom.js'
import { plain } from '../shared/escape.js'
import { useStore } from '../shared/store.js'
import { columns, filterSockets, sortSockets } from './columns.js'
import { OpenForm } from './open-form.js'
import { link } from './route.js'
import { sockets } from './sockets.js'

const shownMost = 500
const tickMs = 1000

/* Draws again each second, for what changes by itself: ages. */
function useTick() {
    const [, tick] = useState(0)
    useEffect(() => {
        const timer = setInterval(() => tick((count) => count + 1), tickMs)
        return () => clearInterval(timer)
    }, [])
}

function Head({ sort, setSort }) {
    const press = (name) => setSort({ name, down: sort.name === name && !sort.down })
    const direction = (name) => (sort.name !== name ? null : sort.down ? 'descending' : 'ascending')
    return html`<thead><tr>
        <th scope="col">Id</th>
        ${columns.map(
            ({ name, number }) => html`<th scope="col" class=${number ? 'number' : ''} aria-sort=${direction(name)}>
            <button class="sort" onclick=${() => press(name)}>${name}</button>
        </th>`,
        )}
    </tr></thead>`
}

function Row({ socket, rates }) {
    return html`<tr>
        <th scope="row"><a href=${link('sockets', socket.id)}>${socket.id}</a></th>
        ${columns.map(({ name, value, show = String, number }) => {
            const text = plain(show(value(socket, rates)))
            return html`<td class=${number ? 'number' : ''} data-name=${name}>${text}</td>`
        })}
    </tr>`
}

/* Up and down go from row to row, "/" to the filter. */
function moveByKey(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key]
    if (!step) return
    const links = [...event.currentTarget.querySelectorAll('tbody a')]
    const next = links[links.indexOf(document.activeElement) + step]
    if (!next) return
    next.focus()
    event.preventDefault()
}

function useSlash(element) {
    useEffect(() => {
        const press = (event) => {
            if (event.key !== '/' || event.target.closest('input, textarea, select')) return
            element.current?.focus()
            event.preventDefault()
        }
        addEventListener('keydown', press)
        return () => removeEventListener('keydown', press)
    }, [])
}

export function SocketTable() {
    const { list, rates, more } = useStore(sockets)
    const [filter, setFilter] = useState('')
    const [sort, setSort] = useState({ name: '', down: false })
    const box = useRef()
    useTick()
    useSlash(box)
    const found = useMemo(() => sortSockets(filterSockets(list, rates, filter), rates, sort), [list, rates, filter, sort])
    return html`<h1>Sockets</h1>
        <${OpenForm} />
        <div class="bar">
            <label>Filter <input ref=${box} type="search" value=${filter} oninput=${(event) => setFilter(event.target.value)}
                placeholder="words, or state:listen" aria-keyshortcuts="/" /></label>
            <span>${found.length} of ${list.length}${more ? ' and more' : ''}${found.length > shownMost ? `, ${shownMost} shown` : ''}</span>
        </div>
        <div class="scroll">
            <table class="sockets" aria-label="Sockets" onkeydown=${moveByKey}>
                <${Head} sort=${sort} setSort=${setSort} />
                <tbody>${found.slice(0, shownMost).map((socket) => html`<${Row} key=${socket.id} socket=${socket} rates=${rates} />`)}</tbody>
            </table>
        </div>
        ${list.length === 0 && html`<p class="hint">There are no sockets. Open one above, or see <a href=${link('calls')}>all calls</a>.</p>`}`
}
