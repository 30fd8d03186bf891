/* schema.js: how a type of the contract is written in a few words, and its members in a table. */
import { resolve } from '../shared/contract.js'
import { html } from '../shared/dom.js'
import { Markdown } from './markdown.js'

const namesMost = 6

const nameOf = (schema) => schema.$ref?.split('/').at(-1)

function literals({ enum: values }) {
    const shown = values.slice(0, namesMost).map((value) => JSON.stringify(value))
    return shown.join(' | ') + (values.length > namesMost ? ' | …' : '')
}

function bounds({ minimum, maximum }) {
    if (minimum === undefined && maximum === undefined) return ''
    return ` ${minimum ?? '…'}–${maximum ?? '…'}`
}

/** "string | integer 0–65535"; a named type is a link. */
export function Type({ schema = {} }) {
    const name = nameOf(schema)
    if (name) return html`<a href="#schema-${name}">${name}</a>`
    if (schema.const !== undefined) return JSON.stringify(schema.const)
    if (schema.enum) return literals(schema)
    const branches = schema.anyOf ?? schema.allOf ?? (schema.type ? undefined : schema.oneOf)
    if (branches)
        return branches.map((branch, i) => html`${i > 0 ? (schema.allOf ? ' & ' : ' | ') : ''}<${Type} schema=${branch} />`)
    if (schema.type === 'array') return html`list of <${Type} schema=${schema.items} />`
    const types = [schema.type ?? 'any'].flat().join(' | ')
    return `${types}${schema.contentEncoding ? ` (${schema.contentEncoding})` : ''}${bounds(schema)}`
}

function Member({ document, name, schema, description, required, note, depth }) {
    const resolved = resolve(document, schema)
    const inner = schema.$ref ? null : (resolved.items ?? resolved)
    return html`<tr>
        <th scope="row">${name}${required ? ' *' : ''}</th>
        <td><${Type} schema=${schema} /></td>
        <td>
            <${Markdown} text=${description ?? resolved.description} />
            ${note && html`<p class="dim">${note}</p>`}
            ${resolved.default !== undefined && html`<p class="dim">Default: <code>${JSON.stringify(resolved.default)}</code></p>`}
            ${inner?.properties && depth > 0 && html`<${Members} document=${document} schema=${inner} depth=${depth - 1} />`}
        </td>
    </tr>`
}

/** Rows of { name, schema, … }. */
export const Table = ({ document, rows }) =>
    rows.length > 0 &&
    html`<div class="scroll"><table><tbody>${rows.map((row) => html`<${Member} document=${document} depth=${2} ...${row} />`)}</tbody></table></div>`

/** The members of an object, or of each kind of object that it may be. */
export function Members({ document, schema, depth = 2 }) {
    const parts = [...(schema.allOf ?? []), ...(schema.anyOf ?? [])].filter((part) => !part.$ref && part.properties)
    const rows = Object.entries(schema.properties ?? {})
    const isRequired = (name) => schema.required?.includes(name)
    return html`${
        rows.length > 0 &&
        html`<table><tbody>
            ${rows.map(
                ([name, member]) =>
                    html`<${Member} document=${document} name=${name} schema=${member} required=${isRequired(name)} depth=${depth} />`,
            )}
        </tbody></table>`
    }
        ${parts.map((part) => html`<${Members} document=${document} schema=${part} depth=${depth} />`)}`
}
