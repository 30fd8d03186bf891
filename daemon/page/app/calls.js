/* calls.js: all operations, and the form of one. */
import { byTag } from '../shared/contract.js'
import { html } from '../shared/dom.js'
import { CallForm } from './call-form.js'
import { useContract } from './document.js'
import { link } from './route.js'

const List = ({ operations, id }) =>
    html`<ul class="calls">${operations.map(
        ({ name, method, path, summary }) => html`<li>
        <a href=${link('calls', name, ...(id ? [id] : []))}><code>${method} ${path}</code></a> ${summary}
    </li>`,
    )}</ul>`

/** The operations on one object: `kind` is where it stands in their paths. */
export function CallList({ id, kind }) {
    const operations = useContract()?.operations ?? []
    return html`<${List} operations=${operations.filter(({ path }) => path.startsWith(`/v1/${kind}/{id}`))} id=${id} />`
}

export function Calls({ name, id }) {
    const contract = useContract()
    if (contract === null) return html`<h1>Calls</h1>`
    const { document, operations } = contract
    const operation = operations.find((each) => each.name === name)
    if (operation) return html`<${CallForm} key=${name} document=${document} operation=${operation} id=${id} />`
    return html`<h1>Calls</h1>
        ${byTag(document, operations).map(([tag, those]) => html`<h2>${tag}</h2><${List} operations=${those} />`)}`
}
