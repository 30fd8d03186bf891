/* test_look.js: the page by keyboard alone, on a phone, dark and light; the reference; the licences. */
import assert from 'node:assert/strict'
import { play, row, show } from './play.js'
import { complaints, until } from './stage.js'

/* Presses Tab until the focus is there. */
async function tabTo(tab, target) {
    for (let presses = 0; presses < 60; presses++) {
        if (await target.evaluate((element) => element === document.activeElement)) return
        await tab.keyboard.press('Tab')
    }
    assert.fail(`the keyboard does not come to ${target}`)
}

play('the keyboard is enough', { signedIn: false }, async (tab, daemon) => {
    await tab.goto(daemon.url)
    await tab.getByLabel('Token').waitFor()
    await tabTo(tab, tab.getByLabel('Token'))
    await tab.keyboard.type(daemon.token)
    await tab.keyboard.press('Enter')
    await tab.getByRole('heading', { name: 'Sockets' }).waitFor()

    await tabTo(tab, tab.getByLabel('Label'))
    await tab.keyboard.type('typed')
    await tab.keyboard.press('Enter')
    await row(tab, 'typed').waitFor()
    const local = await row(tab, 'typed').locator('[data-name=Local]').innerText()
    await tabTo(tab, tab.locator('form.bar select'))
    await tab.keyboard.type('TCP c')
    await tabTo(tab, tab.getByLabel('Address'))
    await tab.keyboard.type(local)
    await tab.keyboard.press('Enter')
    await row(tab, 'ESTAB').waitFor()

    await tabTo(tab, row(tab, 'typed').first().getByRole('link'))
    await tab.keyboard.press('ArrowDown')
    assert.ok(
        await row(tab, 'ESTAB')
            .getByRole('link')
            .evaluate((element) => element === document.activeElement),
    )
    await tab.keyboard.press('/')
    await tab.keyboard.type('estab')
    await until('filtered', async () => (await tab.locator('.sockets tbody tr').count()) === 1)
    await tabTo(tab, row(tab, 'ESTAB').getByRole('link'))
    await tab.keyboard.press('Enter')
    await tab.getByRole('heading', { name: 'Sockets / tcp' }).waitFor()
    await tabTo(tab, tab.getByLabel('Payload'))
    await tab.keyboard.type('by hand')
    await tab.keyboard.press('Control+Enter')
    await tab.getByText('sent 7 bytes').waitFor()
})

const viewsOf = (id) => [
    'sockets',
    ...['console', 'graphs', 'options', 'timeline', 'calls'].map((tab) => `sockets/${id}/${tab}`),
    'calls',
    'calls/socket_create',
    'events',
    'about',
]

const phone = { viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true }

play('a phone shows all of it, without scrolling sideways', phone, async (tab, daemon) => {
    const { near } = await daemon.link('a label that is rather long for a phone, as labels go')
    const { id } = near
    await row(tab, id).waitFor()
    for (const view of viewsOf(id)) {
        await show(tab, view)
        await tab.getByRole('heading').first().waitFor()
        const { width, wide, small } = await tab.evaluate(() => ({
            width: innerWidth,
            wide: document.documentElement.scrollWidth,
            small: [...document.querySelectorAll('main *')].filter(
                (element) => element.innerText && parseFloat(getComputedStyle(element).fontSize) < 11,
            ).length,
        }))
        assert.ok(wide <= 360 && width === 360, `${view} is ${wide} wide`)
        assert.equal(small, 0)
    }
    await show(tab, 'sockets')
    for (const name of ['State', 'Local', 'Peer']) assert.ok(await row(tab, id).locator(`[data-name=${name}]`).isVisible())
})

/* The contrast of two colors, as WCAG 2 has it. */
function contrast(one, other) {
    const luminance = (color) => {
        const [red, green, blue] = color
            .match(/[\d.]+/g)
            .map((part) => (part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4))
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue
    }
    const [more, less] = [luminance(one), luminance(other)].sort((a, b) => b - a)
    return (more + 0.05) / (less + 0.05)
}

async function colors(tab) {
    return tab.evaluate(() => {
        const color = (selector, name) => getComputedStyle(document.querySelector(selector))[name]
        return {
            back: color('html', 'backgroundColor'),
            text: color('html', 'color'),
            dim: color('.hint', 'color'),
            link: color('.hint a', 'color'),
        }
    })
}

play('dark and light follow the system, until one is chosen', { colorScheme: 'light' }, async (tab) => {
    await tab.getByText('There are no sockets').waitFor()
    const isDark = async () => contrast((await colors(tab)).back, 'rgb(0, 0, 0)') < 3
    for (const colorScheme of ['light', 'dark']) {
        await tab.emulateMedia({ colorScheme })
        await until(colorScheme, async () => (await isDark()) === (colorScheme === 'dark'))
        const { back, ...others } = await colors(tab)
        for (const [name, color] of Object.entries(others))
            assert.ok(contrast(back, color) >= 4.5, `${colorScheme} ${name}: ${contrast(back, color)}`)
    }
    await tab.getByRole('button', { name: 'Light' }).click()
    await until('light by choice', async () => !(await isDark()))
    await tab.reload()
    await tab.getByText('There are no sockets').waitFor()
    assert.ok(!(await isDark()))
})

play('every view is accessible, dark or light', { colorScheme: 'light' }, async (tab, daemon) => {
    const { near } = await daemon.link()
    await row(tab, near.id).waitFor()
    for (const [i, view] of viewsOf(near.id).entries()) {
        await tab.emulateMedia({ colorScheme: i % 2 ? 'dark' : 'light' })
        await show(tab, view)
        await tab.getByRole('heading').first().waitFor()
        assert.deepEqual(await complaints(tab), [], view)
    }
    await tab.goto(`${daemon.url}/docs`)
    await tab.getByRole('heading', { name: 'API reference' }).waitFor()
    assert.deepEqual(await complaints(tab, '#socket_recv'), [])
})

play('the reference has every operation and type, and no dead link', async (tab, daemon) => {
    const { paths, components } = await daemon.call('GET', '/openapi.json')
    const names = Object.values(paths).flatMap((methods) => Object.values(methods).map(({ operationId }) => operationId))
    await tab.goto(`${daemon.url}/docs#socket_recv`)
    await tab.getByRole('heading', { name: 'API reference' }).waitFor()
    const ids = await tab.locator('article').evaluateAll((all) => all.map(({ id }) => id))
    assert.deepEqual(ids.sort(), [...names, ...Object.keys(components.schemas).map((name) => `schema-${name}`)].sort())
    const dead = await tab
        .locator('a[href^="#"]')
        .evaluateAll((all) => all.filter(({ hash }) => !document.getElementById(hash.slice(1))).map(({ hash }) => hash))
    assert.deepEqual(dead, [])
    assert.ok(await tab.locator('#socket_recv').evaluate((element) => Math.abs(element.getBoundingClientRect().top) < 100))
    assert.match(await tab.locator('#socket_recv').getByLabel('curl line', { exact: true }).innerText(), /^curl .*\/recv --json /)
    await tab.locator('#socket_recv').getByRole('link', { name: 'Try it' }).click()
    await tab.getByRole('heading', { name: 'Calls / socket_recv' }).waitFor()
})

play('the licences of the libraries are in the page', async (tab) => {
    await show(tab, 'about')
    for (const text of ['preact 1', 'htm 3', 'uplot 1', 'Apache License', 'Jason Miller', 'Leon Sorokin'])
        await tab.getByText(text).first().waitFor()
})
