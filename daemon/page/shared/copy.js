/* copy.js: text to copy, with a button that does it. */
import { html, useRef, useState } from './dom.js'

/* Over plain HTTP from another machine, browsers keep the clipboard from pages: then the text is selected at least. */
async function copy(text, element) {
    try {
        await navigator.clipboard.writeText(text)
        return 'Copied'
    } catch {
        getSelection().selectAllChildren(element)
        return document.execCommand('copy') ? 'Copied' : 'Selected'
    }
}

export function Copyable({ text, label }) {
    const [done, setDone] = useState('Copy')
    const element = useRef()
    const press = async () => {
        setDone(await copy(text, element.current))
        setTimeout(() => setDone('Copy'), 1500)
    }
    return html`<div class="copyable">
        <pre ref=${element} aria-label=${label} tabindex="0"><code>${text}</code></pre>
        <button class="quiet" onclick=${press} aria-label="Copy ${label}">${done}</button>
    </div>`
}
