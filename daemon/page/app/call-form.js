/* call-form.js: the form of an operation, as the contract has its parameters; the curl line that does the same; and what came
 * of it. */
import { namesOf, typesOf } from '../shared/contract.js'
import { Copyable } from '../shared/copy.js'
import { curlLine } from '../shared/curl.js'
import { html, useState } from '../shared/dom.js'
import { plainLines } from '../shared/escape.js'
import { act } from './journal.js'
import { link } from './route.js'

const shownMost = 64 * 1024
const chosenMost = 12 // more names than these are suggested instead

const isWord = (value) => typeof value === 'string' && /^\w+$/.test(value)

/* As readText() takes it. */
function write(value) {
    if (value === undefined) return ''
    if (Array.isArray(value) && value.every(isWord)) return value.join(' ')
    return typeof value === 'string' ? value : JSON.stringify(value)
}

/* What was typed, as the first of the parameter's types that it can be. Throws when it is JSON that is not sound. */
function readText(document, schema, text) {
    const types = typesOf(document, schema)
    if ((types.size === 0 || types.has('object') || types.has('array')) && /^\s*[[{]/.test(text)) return JSON.parse(text)
    if (types.has('boolean') && /^(true|false)$/.test(text)) return text === 'true'
    if ((types.has('integer') || types.has('number')) && /^-?\d+$/.test(text)) return Number(text)
    if (types.has('array')) return text.split(/[\s,|]+/).filter(Boolean)
    return text
}

/* The texts as a request, without those left empty. */
function makeRequest(document, operation, texts, file) {
    const request = { method: operation.method, path: operation.path, query: {} }
    const values = operation.parameters
        .filter(({ name }) => texts[name])
        .map((each) => [each, readValue(document, each, texts[each.name])])
    for (const [{ name, in: place }, value] of values)
        if (place === 'path') request.path = request.path.replace(`{${name}}`, encodeURIComponent(value))
        else if (place === 'query' || file) request.query[name] = value
        else request.body = { ...request.body, [name]: value }
    return file ? { ...request, file, upload: file.name } : request
}

function readValue(document, { name, schema }, text) {
    try {
        return readText(document, schema, text)
    } catch (error) {
        throw new Error(`${name}: ${error.message}`)
    }
}

function Input({ document, parameter, text, set }) {
    const { name, schema, hint } = parameter
    const names = namesOf(document, schema)
    const types = typesOf(document, schema)
    const id = `parameter-${name}`
    const change = (event) => set(event.target.value)
    const choices = types.size === 1 && types.has('boolean') ? ['true', 'false'] : names
    const isChoice =
        choices.length > 0 &&
        choices.length <= chosenMost &&
        !types.has('object') &&
        !types.has('array') &&
        (names.length === 0 || types.size === 1)
    if (isChoice)
        return html`<select id=${id} value=${text} onchange=${change}>
            <option value=""></option>
            ${choices.map((choice) => html`<option>${choice}</option>`)}
        </select>`
    const list = names.length > 0 ? `${id}-names` : null
    return html`<input id=${id} value=${text} required=${parameter.in === 'path'} list=${list} placeholder=${write(hint)}
            oninput=${change} spellcheck="false" autocomplete="off" />
        ${names.length > 0 && html`<datalist id="${id}-names">${names.map((each) => html`<option value=${each}></option>`)}</datalist>`}`
}

function Outcome({ outcome }) {
    if (outcome === null) return null
    const text = JSON.stringify(outcome.reply, null, 2)
    const cut = text.length > shownMost ? `${text.slice(0, shownMost)}…` : text
    const { id, local } = outcome.reply
    return html`<section aria-label="Reply" class=${outcome.failed ? 'bad' : ''}>
        <h2>${outcome.failed ? 'Refused' : 'Done'}${local !== undefined && html` <a href=${link('sockets', id)}>${id}</a>`}</h2>
        <pre>${plainLines(cut)}</pre>
    </section>`
}

export function CallForm({ document, operation, id }) {
    const examples = Object.fromEntries(
        operation.parameters.filter(({ in: place }) => place !== 'path').map(({ name, example }) => [name, write(example)]),
    )
    const [texts, setTexts] = useState(id ? { id } : {})
    const [file, setFile] = useState(null)
    const [outcome, setOutcome] = useState(null)
    let request
    let trouble = ''
    try {
        request = makeRequest(document, operation, texts, file)
    } catch (error) {
        trouble = error.message
    }
    const submit = async (event) => {
        event.preventDefault()
        if (!request) return
        try {
            setOutcome({ failed: false, reply: await act(request) })
        } catch (error) {
            setOutcome({ failed: true, reply: error.body ?? { detail: error.message } })
        }
    }
    return html`<h1><a href=${link('calls')}>Calls</a> / ${operation.name}</h1>
        <p><code>${operation.method} ${operation.path}</code> ${operation.summary} <a href="/docs#${operation.name}">Reference</a></p>
        <form class="call" onsubmit=${submit}>
            ${operation.parameters.map(
                (parameter) => html`<div class="field">
                <label for="parameter-${parameter.name}">${parameter.name}${parameter.required ? ' *' : ''}</label>
                <${Input} document=${document} parameter=${parameter} text=${texts[parameter.name] ?? ''}
                    set=${(text) => setTexts({ ...texts, [parameter.name]: text })} />
                <small>${parameter.description}</small>
            </div>`,
            )}
            ${
                operation.takesRaw &&
                html`<div class="field">
                <label for="file">file</label>
                <input id="file" type="file" onchange=${(event) => setFile(event.target.files[0] ?? null)} />
                <small>The payload, instead of data.</small>
            </div>`
            }
            <div class="bar">
                <button>Call</button>
                <button type="button" class="quiet" onclick=${() => setTexts({ ...texts, ...examples })}>Fill in examples</button>
                <button type="button" class="quiet" onclick=${() => setTexts(id ? { id } : {})}>Clear</button>
                <span class="bad" role="alert">${trouble}</span>
            </div>
        </form>
        ${request && html`<${Copyable} text=${curlLine(location.origin, request)} label="curl line" />`}
        <${Outcome} outcome=${outcome} />`
}
