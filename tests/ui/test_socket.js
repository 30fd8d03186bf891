/* test_socket.js: the view of one socket: its graphs, options, timeline and calls. */
import assert from 'node:assert/strict'
import { button, play, show } from './play.js'
import { until } from './stage.js'

/* Whether anything but one color is drawn there. */
const isDrawn = (canvas) =>
    canvas.evaluate((element) => {
        const { data } = element.getContext('2d').getImageData(0, 0, element.width, element.height)
        return new Set(new Uint32Array(data.buffer)).size > 3
    })

play('graphs of TCP_INFO appear and change', async (tab, daemon) => {
    const { near } = await daemon.link()
    await show(tab, `sockets/${near.id}/graphs`)
    await until('four charts', async () => (await tab.locator('canvas').count()) === 4)
    const throughput = tab.getByText('Throughput, KiB/s')
    await until('throughput', async () => {
        await daemon.act(near.id, 'send', { text: 'x'.repeat(20000) })
        return Number(/bytes_acked ([\d.]+)/.exec(await throughput.innerText())?.[1]) > 1
    })
    for (const canvas of await tab.locator('canvas').all()) assert.ok(await isDrawn(canvas))
    assert.match(await tab.getByText('Round trip, ms').innerText(), /rtt \d+\.\d\d/)
})

play('options are set by their types', async (tab, daemon) => {
    const { near } = await daemon.link()
    const read = async (level, option) => (await daemon.act(near.id, 'getsockopt', { level, option })).value
    await show(tab, `sockets/${near.id}/options`)

    await tab.getByLabel('TCP_NODELAY', { exact: true }).check()
    await until('a flag', () => read('IPPROTO_TCP', 'TCP_NODELAY'))

    await tab.getByLabel('TCP_KEEPIDLE', { exact: true }).fill('77')
    await button(tab, 'Set TCP_KEEPIDLE').click()
    await until('a number', async () => (await read('IPPROTO_TCP', 'TCP_KEEPIDLE')) === 77)

    await tab.getByLabel('SO_LINGER onoff').check()
    await tab.getByLabel('SO_LINGER linger').fill('3')
    await button(tab, 'Set SO_LINGER').click()
    await until('a struct', async () => (await read('SOL_SOCKET', 'SO_LINGER')).linger === 3)

    await tab.getByLabel('TCP_CONGESTION', { exact: true }).fill('no such one')
    await button(tab, 'Set TCP_CONGESTION').click()
    await tab.getByRole('alert').getByText('ENOENT').waitFor()
})

play('the timeline tells the calls made here', async (tab, daemon) => {
    const { near } = await daemon.link()
    await show(tab, `sockets/${near.id}`)
    await tab.getByLabel('Payload').fill('hello')
    await button(tab, 'Send').click()
    await tab.getByText('sent 5 bytes').waitFor()
    await button(tab, 'End sending').click()
    await tab.getByRole('link', { name: 'timeline' }).click()
    await tab.getByText('POST send').waitFor()
    await tab.getByText('POST shutdown').waitFor()
    await button(tab, 'Reset').click()
    await tab.getByText('DELETE /v1').or(tab.getByText('no such socket, or no more')).first().waitFor()
})

play('a socket has the calls that it takes', async (tab, daemon) => {
    const { near } = await daemon.link()
    await show(tab, `sockets/${near.id}/calls`)
    await tab.getByRole('link', { name: 'POST /v1/sockets/{id}/shutdown' }).click()
    assert.equal(await tab.getByLabel('id *').inputValue(), near.id)
    await tab.getByLabel('how *').fill('SHUT_WR')
    await button(tab, 'Call').click()
    await tab.getByRole('heading', { name: 'Done' }).waitFor()
})
