/* test_feed.js: the page outlives the daemon, and goes on with its events where they stopped. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { button, play, row, show } from './play.js'
import { Daemon, until } from './stage.js'

play('a restart of the daemon is survived', async (tab, daemon) => {
    await daemon.open({ label: 'before' })
    await row(tab, 'before').waitFor()
    await daemon.stop()
    await tab.getByText('the daemon does not answer').waitFor()
    await daemon.start()
    await tab.getByText('the daemon does not answer').waitFor({ state: 'detached' })
    await until('the old socket gone', async () => (await row(tab, 'before').count()) === 0)
    await daemon.open({ label: 'behind' })
    await row(tab, 'behind').waitFor()
})

/* The daemon that a keeper has started. */
const childOf = ({ pid }) => Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ')[0])

play('with a keeper, sockets outlive a daemon that is killed, and so does their view', { signedIn: false }, async (tab) => {
    const daemon = await new Daemon('--keeper').start()
    const { near, far } = await daemon.link('kept')
    await tab.goto(`${daemon.url}/#token=${daemon.token}`)
    await row(tab, 'kept').getByRole('link').click()
    await tab.getByLabel('Payload').fill('before')
    await button(tab, 'Send').click()
    await tab.getByText('sent 6 bytes').waitFor()
    const killed = childOf(daemon.process)
    process.kill(killed, 'SIGKILL')
    await until('another daemon', () => childOf(daemon.process) > 0 && childOf(daemon.process) !== killed)
    await until('its answer', () => fetch(`${daemon.url}/healthz`).catch(() => null))
    await tab.getByLabel('Payload').fill(', and behind')
    await button(tab, 'Send').click()
    await tab.getByText('sent 12 bytes').waitFor()
    const { data } = await daemon.act(far.id, 'recv')
    assert.equal(Buffer.from(data, 'base64').toString(), 'before, and behind')
    await show(tab, 'sockets')
    await row(tab, near.id).getByText('ESTAB').waitFor()
    await daemon.end()
})

play('what happens is listed as the daemon tells it, also behind a restart', async (tab, daemon) => {
    await show(tab, 'events')
    const told = ({ id }) => tab.locator('.log li').filter({ hasText: new RegExp(`made\\s+${id}\\b`) }).waitFor()
    await told(await daemon.open({ label: 'told' }))
    await daemon.stop()
    await daemon.start()
    await tab.locator('.log li').filter({ hasText: /gap/ }).waitFor()
    await told(await daemon.open({ label: 'told again' }))
})

const frame = (sequence, kind, more) =>
    `id: run-${sequence}\nevent: ${kind}\ndata: ${JSON.stringify({ sequence, kind, time: '2026-01-01T00:00:00.000000000Z', socket: 'abc-1', session: null, label: null, ...more })}\n\n`

/* What the stream says, piece by piece: each ends it, and the page asks again. */
const pieces = [
    { asked: undefined, body: `: heartbeat\n\n${frame(1, 'made')}${frame(2, 'received', { bytes: 2048 })}` },
    { asked: 'run-2', body: `event: gap\ndata: {"missed":7}\n\n${frame(10, 'closed', { errno: 'ECONNRESET' })}` },
    { asked: 'run-10', body: frame(11, 'made', { label: '\u202e<b>' }) },
]

/* Another tab in front of it, or it in front again. */
const turn = (tab, { hidden }) =>
    tab.evaluate((value) => {
        Object.defineProperty(document, 'hidden', { value, configurable: true })
        document.dispatchEvent(new Event('visibilitychange'))
    }, hidden)

play('events are shown, and resumed behind the last one', { signedIn: false }, async (tab, daemon) => {
    const asked = []
    await tab.route('**/v1/events', async (route) => {
        const piece = pieces[asked.length]
        asked.push(route.request().headers()['last-event-id'])
        if (!piece) return // it stays open, as a stream does
        await route.fulfill({ contentType: 'text/event-stream', body: piece.body })
    })
    await tab.goto(`${daemon.url}/#token=${daemon.token}`)
    await show(tab, 'events')
    await until('all asked for', () => asked.length > pieces.length)
    assert.deepEqual(asked, [...pieces.map((piece) => piece.asked), 'run-11'])
    await until('all shown', async () => (await tab.locator('.log li').count()) === 5)
    const rows = (await tab.locator('.log li').allInnerTexts()).map((text) => text.replace(/\s+/g, ' '))
    assert.match(rows[0], /made abc-1 label \\u\{202e\}<b>$/)
    assert.match(rows[1], /closed abc-1 errno ECONNRESET$/)
    assert.match(rows[2], /gap missed 7$/)
    assert.match(rows[3], /received abc-1 bytes 2\.0 KiB$/)
    await tab.getByLabel('Filter').fill('gap')
    await until('the filter', async () => (await tab.locator('.log li').count()) === 1)
    await turn(tab, { hidden: true })
    await turn(tab, { hidden: false })
    await until('asked for again', () => asked.length === pieces.length + 2)
    assert.equal(asked.at(-1), 'run-11')
    await show(tab, 'sockets/abc-1')
    await until('the timeline', async () => (await tab.locator('.log li').count()) === 4)
})
