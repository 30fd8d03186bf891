/* build.js NODE_MODULES OUT: bundles the page and the API reference, and writes their files as C, the rows of page_files[]
 * (daemon/page.h). */
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'

const [modules, out] = process.argv.slice(2).map((path) => resolve(path))
const here = fileURLToPath(new URL('.', import.meta.url))
const { buildSync } = createRequire(join(modules, 'x'))('esbuild')

/* One file of what an entry point imports. */
const bundle = (entry) =>
    Buffer.from(
        buildSync({
            entryPoints: [join(here, entry)],
            nodePaths: [modules],
            bundle: true,
            minify: true,
            format: 'esm',
            target: 'es2022',
            charset: 'utf8',
            legalComments: 'none', // they stand whole in licenses.txt
            write: false,
        }).outputFiles[0].contents,
    )

const copy = (name) => readFileSync(join(here, name))

/* What the libraries in the bundles ask to be passed on with them. */
const licenses = () => {
    const { dependencies } = JSON.parse(copy('package.json'))
    return Buffer.from(
        Object.entries(dependencies)
            .map(([name, version]) => `${name} ${version}\n\n${readFileSync(join(modules, name, 'LICENSE'), 'utf8').trim()}\n`)
            .join(`\n${'-'.repeat(72)}\n\n`),
    )
}

const files = [
    { path: '/', media: 'text/html; charset=utf-8', bytes: copy('index.html') },
    { path: '/docs', media: 'text/html; charset=utf-8', bytes: copy('docs.html') },
    { path: '/assets/app.js', media: 'text/javascript; charset=utf-8', bytes: bundle('app/main.js') },
    { path: '/assets/docs.js', media: 'text/javascript; charset=utf-8', bytes: bundle('docs/main.js') },
    { path: '/assets/style.css', media: 'text/css; charset=utf-8', bytes: bundle('style.css') },
    { path: '/assets/icon.svg', media: 'image/svg+xml', bytes: copy('icon.svg') },
    { path: '/assets/licenses.txt', media: 'text/plain; charset=utf-8', bytes: licenses() },
]

const array = (name, bytes) =>
    `static const uint8_t ${name}[] = {\n${bytes
        .toString('hex')
        .replace(/../g, '0x$&,')
        .replace(/.{100}/g, '$&\n')}\n};\n`

const row = ({ path, media, bytes, packed }, i) =>
    `        { .path = "${path}", .media = "${media}", .hash = "${createHash('sha256').update(bytes).digest('hex').slice(0, 16)}",\n` +
    `                .bytes = plain_${i}, .size = ${bytes.length}, .packed = packed_${i}, .packed_size = ${packed.length} },\n`

for (const file of files) {
    file.packed = gzipSync(file.bytes, { level: 9 })
    console.log(`${file.path} ${file.bytes.length} bytes, ${file.packed.length} packed`)
}
writeFileSync(
    out,
    '/* page_files.c: the files of the page; written by daemon/page/build.js. */\n#include "daemon/page.h"\n\n' +
        files.map(({ bytes, packed }, i) => array(`plain_${i}`, bytes) + array(`packed_${i}`, packed)).join('') +
        `\nconst struct page_file page_files[] = {\n${files.map(row).join('')}};\n` +
        `const size_t page_file_count = ${files.length};\n`,
)
