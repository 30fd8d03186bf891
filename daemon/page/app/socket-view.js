/* socket-view.js: one socket: what it is now, and its console, timeline, graphs, options and calls. */
import { html, useEffect, useState } from '../shared/dom.js'
import { plain } from '../shared/escape.js'
import { useStore } from '../shared/store.js'
import { get } from './api.js'
import { CallList } from './calls.js'
import { Console } from './console.js'
import * as format from './format.js'
import { Graphs } from './graphs.js'
import { actOn, act } from './journal.js'
import { Options } from './options.js'
import { link } from './route.js'
import { useSamples } from './samples.js'
import { sockets } from './sockets.js'
import { Timeline } from './timeline.js'

const tabs = {
    console: ({ socket }) => html`<${Console} socket=${socket} />`,
    timeline: ({ socket }) => html`<${Timeline} id=${socket.id} />`,
    graphs: ({ samples }) => html`<${Graphs} ...${samples} />`,
    options: ({ socket }) => html`<${Options} id=${socket.id} />`,
    calls: ({ socket }) => html`<${CallList} id=${socket.id} kind="sockets" />`,
}

/* The one of the list, or by itself where the list is cut. Null: it is gone. */
function useSocket(id) {
    const { list, time } = useStore(sockets)
    const listed = list.find((socket) => socket.id === id)
    const [single, setSingle] = useState(undefined)
    useEffect(() => {
        if (!listed && time > 0)
            get(`/v1/sockets/${encodeURIComponent(id)}`).then(setSingle, (error) => error.status === 404 && setSingle(null))
    }, [id, time])
    return listed ?? single
}

/* What may be done to it, as its state has it. */
function actionsOf({ id, state, type }) {
    const path = `/v1/sockets/${encodeURIComponent(id)}`
    return [
        state === 'listening' && ['Accept', () => actOn(id, 'accept', { timeout_ms: 0 })],
        state === 'connected' && type !== 'SOCK_DGRAM' && ['End sending', () => actOn(id, 'shutdown', { how: 'SHUT_WR' })],
        ['Close', () => act({ method: 'DELETE', path })],
        state === 'connected' &&
            type === 'SOCK_STREAM' && ['Reset', () => act({ method: 'DELETE', path, query: { reset: true } })],
    ].filter(Boolean)
}

function Actions({ socket }) {
    const [outcome, setOutcome] = useState(null)
    const press = async (run) => {
        try {
            const reply = await run()
            const accepted = reply.parent === socket.id
            setOutcome(accepted ? html`Accepted <a href=${link('sockets', reply.id)}>${reply.id}</a>` : null)
        } catch (error) {
            setOutcome(html`<span class="bad">${error.message}</span>`)
        }
    }
    return html`<div class="bar">
        ${actionsOf(socket).map(([name, run]) => html`<button onclick=${() => press(run)}>${name}</button>`)}
        <span role="status">${outcome}</span>
    </div>`
}

function Facts({ socket }) {
    const facts = [
        ['State', format.state(socket)],
        ['Local', format.address(socket.local) || '–'],
        ['Peer', format.address(socket.peer) || '–'],
        ['Recv-Q', format.bytes(socket.receive_queue)],
        ['Send-Q', format.bytes(socket.send_queue)],
        ['Received', format.bytes(socket.received_bytes)],
        ['Sent', format.bytes(socket.sent_bytes)],
        ['Parked calls', socket.parked],
        ['Owner', socket.owner ?? '–'],
        ['Made', `${socket.created.slice(0, 19).replace('T', ' ')} UTC`],
    ]
    const parent = socket.parent && html`<dt>Parent</dt><dd><a href=${link('sockets', socket.parent)}>${socket.parent}</a></dd>`
    return html`<dl class="facts">
        ${facts.map(([name, value]) => html`<div><dt>${name}</dt><dd>${plain(value)}</dd></div>`)}
        ${parent && html`<div>${parent}</div>`}
    </dl>`
}

function Present({ socket, tab }) {
    const samples = useSamples(socket)
    const Tab = tabs[tab]
    return html`<${Facts} socket=${socket} />
        <${Actions} socket=${socket} />
        <nav class="tabs" aria-label="Of this socket">
            ${Object.keys(tabs).map(
                (name) =>
                    html`<a href=${link('sockets', socket.id, name)} aria-current=${name === tab ? 'page' : null}>${name}</a>`,
            )}
        </nav>
        <${Tab} socket=${socket} samples=${samples} />`
}

export function SocketView({ id, tab }) {
    const socket = useSocket(id)
    const label = socket?.label ? ` “${plain(socket.label)}”` : ''
    return html`<h1><a href=${link('sockets')}>Sockets</a> / ${socket ? `${format.netid(socket)} ` : ''}${id}${label}</h1>
        ${socket && html`<${Present} socket=${socket} tab=${tab in tabs ? tab : 'console'} />`}
        ${socket === null && html`<p>There is no such socket, or no more.</p><${Timeline} id=${id} />`}`
}
