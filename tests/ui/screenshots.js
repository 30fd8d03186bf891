/* screenshots.js: the pictures of the README: the page light, dark and on a phone, with some traffic to see. */
import { fileURLToPath } from 'node:url'
import { Daemon, launch, openTab } from './stage.js'

const folder = fileURLToPath(new URL('screenshots/', import.meta.url))
const everyMs = 150

/* Each picture: a view of the connection's near end, and what it must show. */
const pictures = [
    { name: 'light', view: () => 'sockets', options: { colorScheme: 'light', viewport: { width: 1240, height: 520 } } },
    {
        name: 'dark',
        view: (id) => `sockets/${id}/graphs`,
        options: { colorScheme: 'dark', viewport: { width: 1100, height: 700 } },
        waitMs: 12000,
    },
    {
        name: 'console',
        view: (id) => `sockets/${id}`,
        options: { colorScheme: 'light', viewport: { width: 1100, height: 700 } },
        converse: true,
    },
    {
        name: 'phone',
        view: () => 'sockets',
        options: { colorScheme: 'dark', viewport: { width: 390, height: 760 }, isMobile: true, deviceScaleFactor: 1 },
    },
]

async function openSockets(daemon) {
    const web = await daemon.open({ bind: '127.0.0.1:0', listen: { backlog: 16 }, label: 'web server' })
    const near = await daemon.open({ connect: web.local, label: 'client 1' })
    const far = await daemon.act(web.id, 'accept', { label: 'served 1' })
    await daemon.open({ connect: web.local, label: 'client 2, not yet accepted' })
    const udp = await daemon.open({ type: 'SOCK_DGRAM', bind: '127.0.0.1:0', label: 'dns' })
    await daemon.act(udp.id, 'sendto', { text: 'waiting to be read', address: udp.local })
    await daemon.open({ family: 'AF_INET6', type: 'SOCK_STREAM', bind: '[::1]:0', listen: true })
    await daemon.open({ type: 'SOCK_STREAM', bind: 'unix:@session-bus', listen: true, label: 'bus' })
    await daemon.call('POST', '/v1/socketpairs', { type: 'SOCK_SEQPACKET' })
    return { near, far }
}

/* Bytes both ways, now more, now less. */
async function traffic(daemon, { near, far }, ended) {
    for (let turn = 0; !ended(); turn++) {
        const size = Math.round(30000 * (1.2 + Math.sin(turn / 7)))
        await daemon.act(near.id, 'send', { text: 'x'.repeat(size), all: true })
        await daemon.act(far.id, 'recv', { size, until: { bytes: size } })
        await daemon.act(far.id, 'send', { text: 'y'.repeat(size >> 2), all: true })
        await daemon.act(near.id, 'recv', { size: size >> 2, until: { bytes: size >> 2 } })
        await new Promise((next) => setTimeout(next, everyMs))
    }
}

/* Something to read in the console. */
async function converse(tab, daemon, { near, far }) {
    await tab.getByLabel('Payload').fill('GET / HTTP/1.1\nHost: example.test\n\n')
    await tab.getByRole('button', { name: 'Send', exact: true }).click()
    await tab.locator('.sent').waitFor()
    await daemon.act(far.id, 'send', {
        text: 'HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<script>alert(1)</script>\x1b[31m\u202etxt.exe\n',
    })
    await tab.getByRole('button', { name: 'Receive', exact: true }).click()
    await tab.locator('.received').waitFor()
    await daemon.act(far.id, 'recv', {})
    await tab.getByLabel('Payload').fill('')
}

async function take(browser, daemon, link, { name, view, options, waitMs = 2500, converse: speaks }) {
    const tab = await openTab(browser, options)
    await tab.goto(`${daemon.url}/#token=${daemon.token}`)
    await tab.getByText('web server').waitFor()
    await tab.evaluate((hash) => (location.hash = hash), `#/${view(link.near.id)}`)
    let ended = Boolean(speaks)
    const going = traffic(daemon, link, () => ended)
    await new Promise((next) => setTimeout(next, waitMs))
    if (speaks) await converse(tab, daemon, link)
    await tab.screenshot({ path: `${folder}${name}.png` })
    ended = true
    await going
    await tab.context().close()
}

const daemon = await new Daemon().start()
const browser = await launch()
const link = await openSockets(daemon)
for (const picture of pictures) await take(browser, daemon, link, picture)
await browser.close()
await daemon.end()
