/* about.js: which daemon this is, and the licences of the libraries in the page. */
import { html, useEffect, useState } from '../shared/dom.js'
import { plain, plainLines } from '../shared/escape.js'
import { exchange, get } from './api.js'

export function About() {
    const [version, setVersion] = useState(null)
    const [licenses, setLicenses] = useState('…')
    useEffect(() => {
        get('/version').then(setVersion, () => {})
        exchange({ method: 'GET', path: '/assets/licenses.txt' })
            .then((reply) => reply.text())
            .then(setLicenses, () => {})
    }, [])
    return html`<h1>About</h1>
        <dl>${Object.entries(version ?? {})
            .filter(([name]) => name !== 'duration_us')
            .map(([name, value]) => html`<dt>${name}</dt><dd>${plain(value)}</dd>`)}</dl>
        <h2>Keys</h2>
        <dl>
            <dt><kbd>/</kbd></dt><dd>the table's filter</dd>
            <dt><kbd>↑</kbd> <kbd>↓</kbd></dt><dd>from socket to socket; <kbd>Enter</kbd> opens one</dd>
            <dt><kbd>Ctrl</kbd> <kbd>Enter</kbd></dt><dd>send what is written in the console</dd>
        </dl>
        <h2>Licences of the libraries in this page</h2>
        <pre>${plainLines(licenses)}</pre>`
}
