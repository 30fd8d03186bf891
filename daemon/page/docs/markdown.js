/* markdown.js: the little of Markdown that the contract's texts use: paragraphs, `code` and **strong**. */
import { html } from '../shared/dom.js'

const marks = /(`[^`]+`|\*\*[^*]+\*\*)/

const inline = (text) =>
    text.split(marks).map((part) => {
        if (part.startsWith('`')) return html`<code>${part.slice(1, -1)}</code>`
        return part.startsWith('**') ? html`<strong>${part.slice(2, -2)}</strong>` : part
    })

export const Markdown = ({ text = '' }) => text.split(/\n\s*\n/).map((paragraph) => html`<p>${inline(paragraph.trim())}</p>`)
