/* main.js: the page at /: its frame, and which view is in it. */
import { html, render, useEffect, useRef } from '../shared/dom.js'
import { useStore } from '../shared/store.js'
import { ThemeToggle } from '../shared/theme.js'
import { About } from './about.js'
import { Calls } from './calls.js'
import { EventLog } from './event-log.js'
import { follow, phase, trouble } from './feed.js'
import { Login } from './login.js'
import { link, route } from './route.js'
import { SocketTable } from './socket-table.js'
import { SocketView } from './socket-view.js'
import { dropToken, takeFragment } from './token.js'

const views = {
    sockets: ({ rest: [id, tab] }) => (id ? html`<${SocketView} key=${id} id=${id} tab=${tab} />` : html`<${SocketTable} />`),
    calls: ({ rest: [name, id] }) => html`<${Calls} name=${name} id=${id} />`,
    events: () => html`<${EventLog} />`,
    about: () => html`<${About} />`,
}

const places = [
    ['sockets', 'Sockets'],
    ['calls', 'Calls'],
    ['events', 'Events'],
    ['about', 'About'],
]

const phases = {
    starting: 'connecting …',
    login: 'not signed in',
    live: 'live',
    polling: 'no /v1/events here: listed each second',
}

function Header({ here }) {
    const now = useStore(phase)
    const why = useStore(trouble)
    return html`<header>
        <a class="skip" href="#main" onclick=${focusMain}>Skip to content</a>
        <strong class="brand">sockwright</strong>
        <nav aria-label="Views">
            ${places.map(([name, text]) => html`<a href=${link(name)} aria-current=${name === here ? 'page' : null}>${text}</a>`)}
            <a href="/docs">API reference</a>
        </nav>
        <span class="phase ${now}" role="status">${phases[now] ?? `${why}: trying again`}</span>
        ${now !== 'login' && html`<button class="quiet" onclick=${signOut}>Sign out</button>`}
        <${ThemeToggle} />
    </header>`
}

function focusMain(event) {
    event?.preventDefault()
    document.getElementById('main').focus({ preventScroll: true })
    scrollTo(0, 0)
}

/* Nothing that was seen stays in the tab. */
function signOut() {
    dropToken()
    location.reload()
}

function App() {
    const [place = 'sockets', ...rest] = useStore(route)
    const signedOut = useStore(phase) === 'login'
    const View = views[place] ?? views.sockets
    const first = useRef(true)
    useEffect(() => {
        if (!first.current) focusMain()
        first.current = false
    }, [place, rest[0]])
    return html`<${Header} here=${place} />
        <main id="main" tabindex="-1">${signedOut ? html`<${Login} />` : html`<${View} rest=${rest} />`}</main>`
}

takeFragment()
render(html`<${App} />`, document.body)
follow()
