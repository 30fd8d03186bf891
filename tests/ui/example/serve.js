/* serve.js: serves the example, as an origin of its own. */
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'

const page = readFileSync(new URL('dashboard.html', import.meta.url))

export async function serve() {
    const server = createServer((request, reply) =>
        reply.setHeader('Content-Type', 'text/html').end(request.url === '/' ? page : ''),
    )
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return { origin: `http://127.0.0.1:${server.address().port}`, close: () => server.closeAllConnections() || server.close() }
}
