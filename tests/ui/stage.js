/* stage.js: the daemon and the browser that the tests play on. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

const { SOCKWRIGHTD, UI_MODULES, CHROMIUM = '/usr/bin/chromium' } = process.env
const load = createRequire(join(UI_MODULES, 'x'))
const { chromium } = load('playwright-core')
const axe = readFileSync(load.resolve('axe-core/axe.min.js'), 'utf8')

/** Calls it until it returns something true, for at most 10 s. */
export async function until(what, look) {
    const end = Date.now() + 10000
    for (;;) {
        const found = await look()
        if (found) return found
        assert.ok(Date.now() < end, `not in time: ${what}`)
        await new Promise((next) => setTimeout(next, 50))
    }
}

export class Daemon {
    directory = mkdtempSync(join(tmpdir(), 'sockwright-ui.'))
    port = 0 // the kernel's choice, which later starts repeat

    constructor(...options) {
        this.options = options
    }

    async start() {
        const own = [
            '--unix',
            join(this.directory, 'socket'),
            '--token-file',
            join(this.directory, 'token'),
            '--listen',
            `127.0.0.1:${this.port}`,
        ]
        this.process = spawn(SOCKWRIGHTD, [...own, ...this.options], { stdio: ['ignore', 'pipe', 'inherit'] })
        process.once('exit', () => this.process.kill()) // where a test run ends in the middle
        for await (const line of createInterface(this.process.stdout)) {
            this.url = /^listening on (http:.*)$/.exec(line)?.[1] ?? this.url
            if (line.startsWith('  echo')) break
        }
        assert.ok(this.url, 'the daemon did not start')
        this.port = new URL(this.url).port
        this.token = readFileSync(join(this.directory, 'token'), 'utf8').trim()
        return this
    }

    async stop() {
        const ended = once(this.process, 'exit')
        this.process.kill('SIGTERM')
        assert.deepEqual(await ended, [0, null])
    }

    async end() {
        await this.stop()
        rmSync(this.directory, { recursive: true })
    }

    /** A call of its API; a call that fails fails the test. */
    async call(method, path, body) {
        const headers = { Authorization: `Bearer ${this.token}`, ...(body && { 'Content-Type': 'application/json' }) }
        const reply = await fetch(this.url + path, { method, headers, body: body && JSON.stringify(body) })
        const text = await reply.text()
        assert.ok(reply.ok, `${method} ${path}: ${text}`)
        return text === '' ? null : JSON.parse(text)
    }

    open = (body) => this.call('POST', '/v1/sockets', body)
    act = (id, action, body = {}) => this.call('POST', `/v1/sockets/${id}/${action}`, body)

    /** A connection: both of its ends. */
    async link(label = null) {
        const server = await this.open({ bind: '127.0.0.1:0', listen: true })
        const near = await this.open({ connect: server.local, ...(label && { label }) })
        const far = await this.act(server.id, 'accept')
        return { server, near, far }
    }

    async closeAll() {
        const { sockets } = await this.call('GET', '/v1/sockets?limit=1000')
        for (const { id } of sockets) await this.call('DELETE', `/v1/sockets/${id}`)
    }
}

export const launch = () => chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-gpu'] })

/* The browser's own notes on replies that were no success. */
const isExpected = (text) => text.startsWith('Failed to load resource')

/** A tab with nothing kept of others, and `faults`, all that went wrong in it: errors, and what the content security policy kept off. */
export async function openTab(browser, options = {}) {
    const context = await browser.newContext({ viewport: { width: 1200, height: 800 }, ...options })
    const tab = await context.newPage()
    tab.setDefaultTimeout(10000)
    tab.faults = []
    tab.on('pageerror', (error) => tab.faults.push(error.stack))
    tab.on('console', (message) => {
        if (message.type() === 'error' && !isExpected(message.text())) tab.faults.push(message.text())
    })
    await tab.addInitScript(() =>
        document.addEventListener('securitypolicyviolation', (event) =>
            console.error(`kept off: ${event.violatedDirective} ${event.blockedURI}`),
        ),
    )
    return tab
}

/** What axe has against the part of the view that is shown. @returns {Promise<string[]>} */
export async function complaints(tab, part = 'body') {
    const { violations } = await tab.evaluate(`(() => { ${axe}; return axe.run('${part}', { resultTypes: ['violations'] }) })()`)
    return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)
}
