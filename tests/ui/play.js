/* play.js: one daemon and one browser for all tests. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Daemon, launch, openTab } from './stage.js'
import { serve } from './example/serve.js'

export const stage = {}

before(async () => {
    stage.allowed = await serve()
    stage.other = await serve()
    stage.daemon = await new Daemon('--allow-origin', stage.allowed.origin).start()
    stage.browser = await launch()
})

after(async () => {
    await stage.browser.close()
    await stage.daemon.end()
    stage.allowed.close()
    stage.other.close()
})

/* The tab of all tests that ask for no other: to open one takes longer than most of them. */
async function sharedTab() {
    stage.tab ??= await openTab(stage.browser)
    await stage.tab.goto('about:blank')
    return stage.tab
}

/** play(name, [options,] run): a test; with options, it has a tab of its own, which is signed in unless they say otherwise. */
export function play(name, ...rest) {
    const [options, run] = rest.length > 1 ? rest : [null, ...rest]
    const { signedIn = true, ...own } = options ?? {}
    test(name, async () => {
        const { daemon, browser } = stage
        const tab = options ? await openTab(browser, own) : await sharedTab()
        try {
            if (signedIn) await tab.goto(`${daemon.url}/#token=${daemon.token}`)
            await run(tab, daemon)
        } finally {
            if (options) await tab.context().close()
            await daemon.closeAll()
        }
        assert.deepEqual(tab.faults.splice(0), [])
    })
}

/** Goes to a view of the page. */
export const show = (tab, view) => tab.evaluate((hash) => (location.hash = hash), `#/${view}`)

/** The row of the table that has this text. */
export const row = (tab, text) => tab.locator('.sockets tbody tr', { hasText: text })

export const button = (within, name) => within.getByRole('button', { name, exact: true })
