/* test_table.js: sockets are opened in the page, and the table shows what becomes of them. */
import assert from 'node:assert/strict'
import { button, play, row, show } from './play.js'
import { until } from './stage.js'

const ids = (tab) => tab.locator('.sockets tbody th').allInnerTexts()

async function openSocket(tab, kind, address, label) {
    const form = tab.getByRole('form', { name: 'Open a socket' })
    await form.locator('select').selectOption(kind)
    await form.getByLabel('Address').fill(address)
    await form.getByLabel('Label').fill(label)
    await button(form, 'Open').click()
    await row(tab, label).waitFor()
}

play('a TCP server and a client exchange bytes', async (tab) => {
    await openSocket(tab, 'TCP server', '127.0.0.1:0', 'my server')
    const local = await row(tab, 'my server').locator('[data-name=Local]').innerText()
    await openSocket(tab, 'TCP client', local, 'my client')
    assert.equal(await row(tab, 'my server').locator('[data-name=State]').innerText(), 'LISTEN')
    assert.equal(await row(tab, 'my client').locator('[data-name=State]').innerText(), 'ESTAB')
    assert.equal(await row(tab, 'my client').locator('[data-name=Peer]').innerText(), local)

    await row(tab, 'my server').getByRole('link').click()
    await button(tab, 'Accept').click()
    const accepted = await tab.getByText('Accepted').getByRole('link').innerText()

    await show(tab, 'sockets')
    await row(tab, 'my client').getByRole('link').click()
    await tab.getByLabel('Payload').fill('héllo\n')
    await button(tab, 'Send').click()
    await tab.getByText('sent 7 bytes').waitFor()

    await show(tab, 'sockets')
    const queue = row(tab, accepted).locator('[data-name=Recv-Q]')
    await until('bytes in the queue', async () => (await queue.innerText()) === '7')
    await row(tab, accepted).getByRole('link').click()
    await button(tab, 'Receive').click()
    await tab.getByText('received 7 bytes').waitFor()
    assert.equal(await tab.locator('.payload').innerText(), 'héllo\\n\n')
    await tab.getByLabel('Show as').selectOption('hex')
    assert.match(await tab.locator('.payload').innerText(), /^00000000 {2}68 c3 a9 6c 6c 6f 0a +\|h\.\.llo\.\|$/)

    await tab.locator('.sender select').selectOption('hex')
    await tab.getByLabel('Payload').fill('00 ff 7f')
    await button(tab, 'Send').click()
    await tab.getByText('sent 3 bytes').waitFor()
    await button(tab, 'Close').click()
    await tab.getByText('no such socket, or no more').waitFor()
})

play('datagrams have addresses', async (tab, daemon) => {
    const one = await daemon.open({ type: 'SOCK_DGRAM', bind: '127.0.0.1:0' })
    const other = await daemon.open({ type: 'SOCK_DGRAM', bind: '127.0.0.1:0' })
    await show(tab, `sockets/${one.id}`)
    await tab.getByLabel('Payload').fill('ping')
    await tab.getByLabel('to', { exact: true }).fill(`127.0.0.1:${other.local.port}`)
    await button(tab, 'Send').click()
    await tab.getByText(`sent 4 bytes to 127.0.0.1:${other.local.port}`).waitFor()
    await show(tab, `sockets/${other.id}`)
    await tab.getByRole('heading', { name: other.id }).waitFor()
    await button(tab, 'Keep receiving').click()
    await tab.getByText(`received 4 bytes from 127.0.0.1:${one.local.port}`).waitFor()
    await daemon.act(one.id, 'sendto', { text: 'again', address: other.local })
    await tab.getByText('received 5 bytes from').waitFor()
    await button(tab, 'Stop').click()
    await button(tab, 'Receive').waitFor()
})

play('the table filters and sorts', async (tab, daemon) => {
    const { server, near, far } = await daemon.link('the client')
    const udp = await daemon.open({ type: 'SOCK_DGRAM', bind: '127.0.0.1:0' })
    const all = [server.id, near.id, far.id, udp.id]
    await until('all sockets', async () => (await ids(tab)).length === 4)
    const filters = [
        ['', all],
        ['listen', [server.id]],
        ['state:estab', [near.id, far.id]],
        ['ESTAB client', [near.id]],
        ['netid:udp', [udp.id]],
        [udp.id, [udp.id]],
        ['nothing of that', []],
    ]
    for (const [filter, found] of filters) {
        await tab.getByRole('searchbox').fill(filter)
        await until(filter, async () => (await ids(tab)).join() === found.join())
    }
    await tab.getByRole('searchbox').fill('')
    await button(tab, 'Netid').click()
    await until('by netid', async () => (await ids(tab)).at(-1) === udp.id)
    await button(tab, 'Netid').click()
    await until('by netid, downwards', async () => (await ids(tab))[0] === udp.id)
    assert.equal(await tab.locator('th[aria-sort]').getAttribute('aria-sort'), 'descending')
})

play('rates show while bytes go', async (tab, daemon) => {
    const { near, far } = await daemon.link('busy')
    await row(tab, 'busy').waitFor()
    const out = row(tab, 'busy').locator('[data-name=Out]')
    await until('a rate', async () => {
        await daemon.act(near.id, 'send', { text: 'x'.repeat(5000) })
        await daemon.act(far.id, 'recv', { size: 100000 })
        return /B\/s$/.test(await out.innerText())
    })
})
