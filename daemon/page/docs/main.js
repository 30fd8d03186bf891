/* main.js: the API reference at /docs, from /openapi.json. */
import { byTag, readOperations, resolve } from '../shared/contract.js'
import { Copyable } from '../shared/copy.js'
import { curlLine } from '../shared/curl.js'
import { html, render } from '../shared/dom.js'
import { ThemeToggle } from '../shared/theme.js'
import { Markdown } from './markdown.js'
import { Members, Table, Type } from './schema.js'

/* The request that the contract's examples make. */
function exampleOf({ method, path, parameters, hasBody }, requestExample) {
    const of = (place) => parameters.filter((each) => each.in === place && each.example !== undefined)
    const filled = of('path').reduce((at, { name, example }) => at.replace(`{${name}}`, example), path)
    const query = Object.fromEntries(of('query').map(({ name, example }) => [name, example]))
    return { method, path: filled, query, body: hasBody ? requestExample : undefined }
}

function Response({ document, status, reference }) {
    const { description, content = {} } = resolve(document, reference)
    return html`<tr>
        <th scope="row">${status}</th>
        <td>${Object.entries(content).map(([media, { schema }]) => html`<div><${Type} schema=${schema} /> <small>${media}</small></div>`)}</td>
        <td><${Markdown} text=${description} /></td>
    </tr>`
}

const replyExample = (document, { responses }) => {
    const status = Object.keys(responses).find((each) => each.startsWith('2'))
    return resolve(document, responses[status])?.content?.['application/json']?.example
}

function Operation({ document, operation }) {
    const { name, method, path, summary, parameters, responses } = operation
    const request = document.paths[path][method.toLowerCase()].requestBody?.content['application/json']?.example ?? {}
    const reply = replyExample(document, operation)
    const rows = parameters.map(({ in: place, ...row }) => ({
        ...row,
        schema: rawSchema(document, operation, row.name) ?? row.schema,
        note: place === 'path' ? 'In the path.' : '',
    }))
    return html`<article id=${name} aria-labelledby="${name}-title">
        <h3 id="${name}-title"><code>${method} ${path}</code></h3>
        <p>${summary} <a href="/#/calls/${name}">Try it</a></p>
        <${Copyable} text=${curlLine(location.origin, exampleOf(operation, request))} label="curl line" />
        <${Table} document=${document} rows=${rows} />
        <h4>Replies</h4>
        <div class="scroll"><table><tbody>
            ${Object.entries(responses).map(
                ([status, reference]) => html`<${Response} document=${document} status=${status} reference=${reference} />`,
            )}
        </tbody></table></div>
        ${reply !== undefined && html`<pre>${JSON.stringify(reply, null, 2)}</pre>`}
    </article>`
}

/* A member of the body as it stands there, so that its type's name is not lost. */
const rawSchema = (document, { path, method }, name) =>
    document.paths[path][method.toLowerCase()].requestBody?.content['application/json']?.schema.properties?.[name]

function Schema({ document, name, schema }) {
    const names = schema.enum ?? schema.anyOf?.find((branch) => branch.enum)?.enum
    return html`<article id="schema-${name}" aria-labelledby="schema-${name}-title">
        <h3 id="schema-${name}-title">${name}</h3>
        <p><code><${Type} schema=${schema} /></code></p>
        <div class="scroll"><${Members} document=${document} schema=${schema} /></div>
        ${names && html`<p><small>${names.join(' ')}</small></p>`}
    </article>`
}

function Reference({ document }) {
    const { info, tags, components } = document
    const groups = byTag(document, readOperations(document))
    const schemas = Object.entries(components.schemas)
    return html`<header>
            <strong class="brand">sockwright</strong>
            <nav aria-label="Elsewhere"><a href="/">Page</a><a href="/openapi.yaml">openapi.yaml</a><a href="/openapi.json">openapi.json</a></nav>
            <span class="phase live">${info.version}</span>
            <${ThemeToggle} />
        </header>
        <div class="reference">
            <nav aria-label="Contents">
                ${groups.map(([tag, operations]) => html`<h2>${tag}</h2>${operations.map(({ name }) => html`<a href="#${name}">${name}</a>`)}`)}
                <h2>types</h2>${schemas.map(([name]) => html`<a href="#schema-${name}">${name}</a>`)}
            </nav>
            <main id="main">
                <h1>${info.title}: API reference</h1>
                <${Markdown} text=${info.description} />
                ${groups.map(
                    ([tag, operations]) => html`<h2>${tag}</h2>
                    <p>${tags.find(({ name }) => name === tag).description}</p>
                    ${operations.map((operation) => html`<${Operation} document=${document} operation=${operation} />`)}`,
                )}
                <h2>types</h2>
                ${schemas.map(([name, schema]) => html`<${Schema} document=${document} name=${name} schema=${schema} />`)}
            </main>
        </div>`
}

/* What the address names can be scrolled to only now. */
function showPlace() {
    document.getElementById(location.hash.slice(1))?.scrollIntoView()
}

try {
    const reply = await fetch('/openapi.json')
    render(html`<${Reference} document=${await reply.json()} />`, document.body)
    showPlace()
} catch (error) {
    render(
        html`<main><h1>API reference</h1><p class="bad">/openapi.json cannot be read: ${error.message}</p></main>`,
        document.body,
    )
}
