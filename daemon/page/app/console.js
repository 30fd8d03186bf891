/* console.js: sends to a socket and receives from it, as text or in hexadecimal. */
import { html, useEffect, useRef, useState } from '../shared/dom.js'
import { pieces, plain } from '../shared/escape.js'
import { append } from '../shared/store.js'
import * as format from './format.js'
import { dump, fromBase64, fromHex, fromText, toBase64, toText } from './bytes.js'
import { actOn } from './journal.js'

const entryLimit = 200
const shownFirst = 4096 // bytes of a payload; "More" shows so many again, twice as many the next time
const waitMs = 20000

const isDatagram = ({ type }) => type !== 'SOCK_STREAM'

/* Without a peer, each datagram has an address. */
const needsAddress = (socket) => isDatagram(socket) && socket.peer === null

/** @typedef {{key: number, time: Date, kind: 'sent' | 'received' | 'note', bytes?: Uint8Array, text?: string, address?: object}} Entry */

function Payload({ bytes, as }) {
    const [shown, setShown] = useState(shownFirst)
    const part = bytes.subarray(0, shown)
    const left = bytes.length - part.length
    const save = () => {
        const url = URL.createObjectURL(new Blob([bytes]))
        Object.assign(document.createElement('a'), { href: url, download: 'payload.bin' }).click()
        URL.revokeObjectURL(url)
    }
    const text =
        as === 'hex'
            ? dump(part)
            : pieces(toText(part)).map(({ text, escape }) => (escape ? html`<span class="escape">${text}</span>` : text))
    return html`<pre class="payload">${text}</pre>
        ${left > 0 && html`<button class="quiet" onclick=${() => setShown(shown * 2)}>More (${format.bytes(left)})</button>`}
        ${bytes.length > 0 && html`<button class="quiet" onclick=${save}>Save</button>`}`
}

/** @param {{entry: Entry, as: string}} props */
function EntryRow({ entry, as }) {
    const { time, kind, bytes, text, address } = entry
    const size = bytes && ` ${bytes.length} ${bytes.length === 1 ? 'byte' : 'bytes'}`
    const peer =
        address && ` ${kind === 'sent' ? 'to' : 'from'} ${plain(typeof address === 'string' ? address : format.address(address))}`
    return html`<li class=${kind}>
        <div class="dim">${format.clock(time)} ${kind === 'note' ? plain(text) : kind}${size}${peer}</div>
        ${bytes && html`<${Payload} bytes=${bytes} as=${as} />`}
    </li>`
}

const Format = ({ value, set }) => html`<select value=${value} onchange=${(event) => set(event.target.value)}>
    <option>text</option>
    <option>hex</option>
</select>`

function Sender({ socket, note }) {
    const [as, setAs] = useState('text')
    const form = useRef()
    const submit = async (event) => {
        event.preventDefault()
        const { payload, address } = Object.fromEntries(new FormData(form.current))
        const bytes = as === 'hex' ? fromHex(payload) : fromText(payload)
        if (bytes === null) return note({ kind: 'note', text: 'That is not hexadecimal: pairs of digits, as in 68 65 6c 6c 6f.' })
        const data = toBase64(bytes)
        try {
            const { sent } = await (address
                ? actOn(socket.id, 'sendto', { address, data })
                : actOn(socket.id, 'send', { data, all: !isDatagram(socket) }))
            return note({ kind: 'sent', bytes: bytes.subarray(0, sent), ...(address && { address }) })
        } catch (error) {
            return note({ kind: 'note', text: error.message })
        }
    }
    const key = (event) => event.key === 'Enter' && event.ctrlKey && submit(event)
    return html`<form ref=${form} class="sender" onsubmit=${submit} aria-label="Send">
        <label>Payload
            <textarea name="payload" rows="3" spellcheck="false" onkeydown=${key} placeholder=${as === 'hex' ? '68 65 6c 6c 6f' : ''}></textarea>
        </label>
        <div class="bar">
            <label>as <${Format} value=${as} set=${setAs} /></label>
            ${needsAddress(socket) && html`<label>to <input name="address" required placeholder="127.0.0.1:53" /></label>`}
            <button>Send</button>
        </div>
    </form>`
}

function Receiver({ socket, note }) {
    const [size, setSize] = useState(65536)
    const [all, setAll] = useState(false)
    const [waiting, setWaiting] = useState(null) // what ends the call that is parked
    const stop = useRef()
    useEffect(() => () => stop.current?.abort(), [])

    /* Whether there may be more. */
    const receive = async (signal) => {
        const call = isDatagram(socket) ? 'recvfrom' : 'recv'
        const wanted = { size: Number(size), ...(all && { until: { bytes: Number(size) } }), timeout_ms: waitMs }
        const { data, eof, address } = await actOn(socket.id, call, wanted, { signal })
        const bytes = fromBase64(data)
        if (bytes.length > 0 || isDatagram(socket)) note({ kind: 'received', bytes, address })
        if (eof) note({ kind: 'note', text: 'The peer has ended its stream.' })
        return !eof
    }
    const run = async (again) => {
        stop.current = new AbortController()
        setWaiting(stop.current)
        try {
            while ((await receive(stop.current.signal).catch((error) => goesOn(error, again))) && again);
        } catch (error) {
            if (error.name !== 'AbortError') note({ kind: 'note', text: error.message })
        }
        setWaiting(null)
    }
    return html`<div class="bar" role="group" aria-label="Receive">
        <label>Up to <input type="number" min="1" max="1073741824" value=${size} oninput=${(event) => setSize(event.target.value)} /> bytes</label>
        ${
            !isDatagram(socket) &&
            html`<label>
            <input type="checkbox" checked=${all} onchange=${(event) => setAll(event.target.checked)} /> all of them
        </label>`
        }
        ${
            waiting
                ? html`<button onclick=${() => waiting.abort()}>Stop</button><span class="dim">waiting …</span>`
                : html`<button onclick=${() => run(false)}>Receive</button><button onclick=${() => run(true)}>Keep receiving</button>`
        }
    </div>`
}

/* A wait that ran out is no end for one who keeps receiving. */
function goesOn(error, again) {
    if (again && error.body?.timed_out) return true
    throw error
}

export function Console({ socket }) {
    const [entries, setEntries] = useState([])
    const [as, setAs] = useState('text')
    const note = (entry) =>
        setEntries((before) => append(before, [{ key: (before.at(-1)?.key ?? 0) + 1, time: new Date(), ...entry }], entryLimit))
    return html`<section class="console">
        <${Sender} socket=${socket} note=${note} />
        <${Receiver} socket=${socket} note=${note} />
        <div class="bar">
            <label>Show as <${Format} value=${as} set=${setAs} /></label>
            <button class="quiet" onclick=${() => setEntries([])}>Clear</button>
        </div>
        <ol class="log" aria-live="polite">${entries.toReversed().map((entry) => html`<${EntryRow} key=${entry.key} entry=${entry} as=${as} />`)}</ol>
    </section>`
}
