/* open-form.js: opens a socket of the usual kinds; all others have their form among the calls. */
import { html, useState } from '../shared/dom.js'
import { act } from './journal.js'
import { link } from './route.js'

/* Each kind: what the address is for, and the body that it and a label make. */
const kinds = {
    'TCP server': {
        address: '127.0.0.1:0',
        body: (address) => ({ type: 'SOCK_STREAM', bind: address, listen: { backlog: 16 } }),
    },
    'TCP client': { address: '127.0.0.1:80', body: (address) => ({ type: 'SOCK_STREAM', connect: address }) },
    'UDP, bound': { address: '127.0.0.1:0', body: (address) => ({ type: 'SOCK_DGRAM', bind: address }) },
    'UDP, connected': { address: '127.0.0.1:53', body: (address) => ({ type: 'SOCK_DGRAM', connect: address }) },
}

export function OpenForm() {
    const [kind, setKind] = useState('TCP server')
    const [outcome, setOutcome] = useState(null)
    const submit = async (event) => {
        event.preventDefault()
        const { address, label } = Object.fromEntries(new FormData(event.target))
        const body = { ...kinds[kind].body(address || kinds[kind].address), ...(label && { label }) }
        try {
            const { id } = await act({ method: 'POST', path: '/v1/sockets', body })
            setOutcome(html`Opened <a href=${link('sockets', id)}>${id}</a>`)
        } catch (error) {
            setOutcome(html`<span class="bad">${error.message}</span>`)
        }
    }
    return html`<form class="bar" onsubmit=${submit} aria-label="Open a socket">
        <label>Open <select value=${kind} onchange=${(event) => setKind(event.target.value)}>
            ${Object.keys(kinds).map((name) => html`<option>${name}</option>`)}
        </select></label>
        <label>Address <input name="address" placeholder=${kinds[kind].address} /></label>
        <label>Label <input name="label" size="10" maxlength="127" /></label>
        <button>Open</button>
        <span role="status">${outcome}</span>
    </form>`
}
