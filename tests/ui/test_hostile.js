/* test_hostile.js: bytes and names that others chose are shown, and do nothing. */
import assert from 'node:assert/strict'
import { button, play, row, show } from './play.js'
import { until } from './stage.js'

const hidden = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}]/u

/* What is shown, but for the line ends that we make ourselves. */
const shown = async (tab) => (await tab.locator('body').innerText()).replace(/[\n\t]/g, '')

const payloads = [
    ['a script', '<script>window.harmed = true</script>', '<script>window.harmed = true</script>'],
    ['an image', '<img src=x onerror="window.harmed=true">', '<img src=x onerror="window.harmed=true">'],
    ['an entity', '&lt;b&gt;', '&lt;b&gt;'],
    ['ANSI colors', '\x1b[31mred\x1b[0m', '\\e[31mred\\e[0m'],
    ['a bell and a NUL', 'a\x07\0b', 'a\\x07\\0b'],
    ['another direction', 'user\u202egnp.exe', 'user\\u{202e}gnp.exe'],
    ['isolates', '\u2066x\u2069', '\\u{2066}x\\u{2069}'],
    ['nothing to see', 'a\u200b\u2060\ufeffb\u3164', 'a\\u{200b}\\u{2060}\\u{feff}b\\u{3164}'],
    ['tags', 'a\u{e0041}', 'a\\u{e0041}'],
    ['no UTF-8', Buffer.from([0x61, 0xff, 0xfe]), 'a\ufffd\ufffd'],
    ['what looks like an escape', '\\u{202e}', '\\u{202e}'],
    ['lines', 'a\r\nb', 'a\\r\\n\nb'],
]

play('payloads are inert', async (tab, daemon) => {
    const { near, far } = await daemon.link()
    await show(tab, `sockets/${near.id}`)
    for (const [name, bytes, text] of payloads) {
        await daemon.act(far.id, 'send', { data: Buffer.from(bytes).toString('base64') })
        await button(tab, 'Receive').click()
        await tab.locator('.received').waitFor()
        assert.equal(await tab.locator('.payload').innerText(), text, name)
        const elements = await tab.locator('.payload *').evaluateAll((all) => all.map(({ outerHTML }) => outerHTML))
        assert.ok(
            elements.every((html) => html.startsWith('<span class="escape">')),
            name,
        )
        assert.doesNotMatch(await shown(tab), hidden, name)
        await button(tab, 'Clear').click()
        await tab.locator('.received').waitFor({ state: 'detached' })
    }
    assert.equal(await tab.evaluate(() => window.harmed), undefined)
})

play('names and addresses are inert too', async (tab, daemon) => {
    const evil = '\u202e<img src=x onerror="window.harmed=true">'
    const { id } = await daemon.open({
        type: 'SOCK_STREAM',
        bind: { family: 'AF_UNIX', abstract: `ui-${process.pid}${evil}` },
        label: evil,
    })
    await row(tab, id).waitFor()
    assert.match(await row(tab, id).innerText(), /\\u\{202e\}<img.*\\u\{202e\}<img/)
    await show(tab, `sockets/${id}`)
    await tab.getByRole('heading', { name: '\\u{202e}<img' }).waitFor()
    assert.doesNotMatch(await shown(tab), hidden)
    assert.equal(await tab.evaluate(() => window.harmed), undefined)
    assert.equal(await tab.locator('img').count(), 0)
})

play('a payload of 1 MB does not hold the page up', async (tab, daemon) => {
    const noise = Buffer.from(Uint8Array.from({ length: 1 << 20 }, (_, i) => (i * 7919 + (i >> 8)) % 256))
    await tab.evaluate(() => {
        let last = performance.now()
        window.longest = 0
        const look = (now) => {
            window.longest = Math.max(window.longest, now - last)
            last = now
            requestAnimationFrame(look)
        }
        requestAnimationFrame(look)
    })
    const { near, far } = await daemon.link()
    await show(tab, `sockets/${near.id}`)
    await tab.getByLabel('Up to').fill(String(noise.length))
    await tab.getByLabel('all of them').check()
    await button(tab, 'Receive').click()
    await daemon.act(far.id, 'send', { data: noise.toString('base64'), all: true })
    await tab.getByText('received 1048576 bytes').waitFor()
    await tab.getByLabel('Show as').selectOption('hex')
    await button(tab, 'More (1020 KiB)').click()
    await until('more', async () => (await tab.locator('.payload').innerText()).split('\n').length === 512)
    const longest = await tab.evaluate(() => window.longest)
    assert.ok(longest < 1000, `nothing was drawn for ${Math.round(longest)} ms`)
    const [download] = await Promise.all([tab.waitForEvent('download'), button(tab, 'Save').click()])
    const chunks = []
    for await (const chunk of await download.createReadStream()) chunks.push(chunk)
    assert.ok(Buffer.concat(chunks).equals(noise))
})
