/* test_calls.js: every operation has a form, and each form's curl line does what the form does. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { button, play, show } from './play.js'
import { until } from './stage.js'

const curlOf = (tab) => tab.getByLabel('curl line', { exact: true }).innerText()

async function runCurl(line, token) {
    const { stdout } = await promisify(execFile)('sh', ['-c', `${line} --silent --show-error`], {
        env: { ...process.env, TOKEN: token },
    })
    return JSON.parse(stdout)
}

async function openForm(tab, name) {
    await show(tab, `calls/${name}`)
    await tab.getByRole('heading', { name: `Calls / ${name}` }).waitFor()
}

play('every operation has a form and a curl line', async (tab, daemon) => {
    const { paths } = await daemon.call('GET', '/openapi.json')
    const operations = Object.entries(paths).flatMap(([path, methods]) =>
        Object.entries(methods).map(([method, { operationId, requestBody }]) => [
            operationId,
            method.toUpperCase(),
            path,
            requestBody,
        ]),
    )
    assert.ok(operations.length > 40)
    for (const [name, method, path, body] of operations) {
        await openForm(tab, name)
        if (body) await button(tab, 'Fill in examples').click()
        const line = await curlOf(tab)
        assert.ok(line.includes(daemon.url + path), line)
        if (method !== 'GET') assert.ok(line.includes(`-X ${method} `) || (method === 'POST' && line.includes('--json')), line)
        assert.ok(line.includes('Authorization: Bearer $TOKEN') && !line.includes(daemon.token), line)
    }
})

/* Forms filled in, and what the reply of both says. */
const forms = [
    {
        name: 'socket_create',
        fields: { bind: '127.0.0.1:0', listen: '{"backlog":3}', label: 'it\'s "quoted" $HOME `id` é' },
        same: ['state', 'label'],
    },
    {
        name: 'socket_create',
        fields: { family: 'AF_INET6', type: 'SOCK_DGRAM', bind: '{"family":"AF_INET6","host":"::1","port":0}' },
        same: ['family', 'type'],
    },
    { name: 'socket_list', fields: { limit: '1', state: 'created' }, same: ['sockets'] },
    { name: 'inet_pton', fields: { address: '::1', family: 'AF_INET6' }, same: ['packed'] },
    {
        name: 'getaddrinfo',
        fields: { host: '127.0.0.1', service: '80', flags: 'AI_NUMERICHOST AI_NUMERICSERV' },
        same: ['addresses'],
    },
    { name: 'session_create', fields: { ttl_ms: '5000', label: 'job' }, same: ['label'] },
    { name: 'batch', fields: { steps: '[{"path":"/v1/sockets","body":{"label":"x"}}]' }, same: ['failed'] },
    { name: 'service_version', fields: {}, same: ['version', 'host'] },
]

async function fillIn(tab, fields) {
    for (const [field, text] of Object.entries(fields)) {
        const input = tab.locator(`#parameter-${field}`)
        await ((await input.evaluate(({ tagName }) => tagName)) === 'SELECT' ? input.selectOption(text) : input.fill(text))
    }
}

play('a form and its curl line do the same', async (tab, daemon) => {
    for (const { name, fields, same } of forms) {
        await show(tab, 'calls') // so that no form is filled in already
        await tab.getByRole('heading', { name: 'Calls', exact: true }).waitFor()
        await openForm(tab, name)
        await fillIn(tab, fields)
        const line = await curlOf(tab)
        assert.match(line, /^[ -~\n]*$/)
        await button(tab, 'Call').click()
        await tab.getByRole('heading', { name: 'Done' }).waitFor()
        const byForm = JSON.parse(await tab.getByRole('region', { name: 'Reply' }).locator('pre').innerText())
        const byCurl = await runCurl(line, daemon.token)
        for (const member of same) assert.deepEqual(byCurl[member], byForm[member] ?? null, `${name}: ${line}`)
    }
})

play('a file is a payload, and curl -T sends it', async (tab, daemon) => {
    const { near, far } = await daemon.link()
    await show(tab, `calls/socket_upload/${near.id}`)
    await tab
        .getByLabel('file')
        .setInputFiles({ name: 'some file.bin', mimeType: 'application/octet-stream', buffer: Buffer.from('bytes of a file') })
    await until('the curl line', async () => (await curlOf(tab)).includes("-T 'some file.bin'"))
    await button(tab, 'Call').click()
    await tab.getByRole('heading', { name: 'Done' }).waitFor()
    const { data } = await daemon.act(far.id, 'recv', {})
    assert.equal(Buffer.from(data, 'base64').toString(), 'bytes of a file')
})

play('what is refused, and what is no JSON, says why', async (tab) => {
    await openForm(tab, 'socket_create')
    await tab.locator('#parameter-bind').fill('{"host":')
    await tab.getByRole('alert').getByText('bind:').waitFor()
    await tab.locator('#parameter-bind').fill('192.0.2.1:80')
    await button(tab, 'Call').click()
    await tab.getByRole('heading', { name: 'Refused' }).waitFor()
    assert.match(await tab.getByRole('region', { name: 'Reply' }).innerText(), /EADDRNOTAVAIL/)
})

play('the curl line can be copied', { permissions: ['clipboard-read', 'clipboard-write'] }, async (tab) => {
    await openForm(tab, 'service_version')
    await button(tab, 'Copy curl line').click()
    await tab.getByText('Copied').waitFor()
    assert.equal(await tab.evaluate(() => navigator.clipboard.readText()), await curlOf(tab))
})
