/* options.js: every option of a socket, to look at and to set, each by the type of its value. */
import { html, useEffect, useState } from '../shared/dom.js'
import { plain } from '../shared/escape.js'
import { get } from './api.js'
import { actOn } from './journal.js'

const membersMost = 4 // structs with more are read, not set: struct tcp_info

const isInteger = (text) => /^-?\d+$/.test(text)
const isFlag = (value) => typeof value === 'boolean'
const isStruct = (value) => typeof value === 'object' && value !== null && !Array.isArray(value)

/* What was typed, as the type of the value that was read. 64-bit numbers stand as text, and so they are sent. */
function read(text, like) {
    if (Array.isArray(like)) return text.split(/[\s,|]+/).filter(Boolean)
    return typeof like === 'number' && isInteger(text) ? Number(text) : text
}

const write = (value) => (Array.isArray(value) ? value.join(' ') : String(value ?? ''))

const Field = ({ name, value, label }) =>
    isFlag(value)
        ? html`<input name=${name} type="checkbox" defaultChecked=${value} aria-label=${label} />`
        : html`<input name=${name} defaultValue=${write(value)} aria-label=${label} inputmode=${typeof value === 'number' ? 'numeric' : null} />`

/* The members of the form, each as the type that it was. */
function readForm(form, value) {
    const field = (name, like) => (isFlag(like) ? form.elements[name].checked : read(form.elements[name].value, like))
    return isStruct(value)
        ? Object.fromEntries(Object.entries(value).map(([name, like]) => [name, field(name, like)]))
        : field('value', value)
}

function Editor({ value, name, set }) {
    if (isFlag(value))
        return html`<input type="checkbox" checked=${value} aria-label=${name} onchange=${(event) => set(event.target.checked)} />`
    if (isStruct(value) && Object.keys(value).length > membersMost)
        return html`<span class="dim">${plain(JSON.stringify(value))}</span>`
    const submit = (event) => {
        event.preventDefault()
        set(readForm(event.target, value))
    }
    const fields = isStruct(value)
        ? Object.entries(value).map(
              ([member, part]) =>
                  html`<label>${member} <${Field} name=${member} value=${part} label="${name} ${member}" /></label>`,
          )
        : html`<${Field} name="value" value=${value} label=${name} />`
    return html`<form onsubmit=${submit}>${fields} <button class="quiet" aria-label="Set ${name}">Set</button></form>`
}

function Row({ id, option: { level, option, value } }) {
    const [now, setNow] = useState({ value, trouble: '', count: 0 })
    const set = async (wanted) => {
        let trouble = ''
        try {
            await actOn(id, 'setsockopt', { level, option, value: wanted })
        } catch (error) {
            trouble = error.message
        }
        const read = await actOn(id, 'getsockopt', { level, option }).catch(() => now)
        setNow({ value: read.value, trouble, count: now.count + 1 })
    }
    return html`<tr>
        <td>${level}</td>
        <th scope="row">${option}</th>
        <td>
            <${Editor} key=${now.count} value=${now.value} name=${option} set=${set} />
            ${now.trouble && html`<div class="bad" role="alert">${now.trouble}</div>`}
        </td>
    </tr>`
}

export function Options({ id }) {
    const [read, setRead] = useState({ options: [], count: 0 })
    const [trouble, setTrouble] = useState('')
    const [filter, setFilter] = useState('')
    const readAll = async () => {
        try {
            const { options } = await get(`/v1/sockets/${encodeURIComponent(id)}/options`)
            setRead((before) => ({ options, count: before.count + 1 }))
            setTrouble('')
        } catch (error) {
            setTrouble(error.message)
        }
    }
    useEffect(() => {
        readAll()
    }, [id])
    const found = read.options.filter(({ level, option }) => `${level} ${option}`.includes(filter.toUpperCase()))
    return html`<div class="bar">
            <label>Filter <input type="search" value=${filter} oninput=${(event) => setFilter(event.target.value)} placeholder="KEEP" /></label>
            <button class="quiet" onclick=${readAll}>Read again</button>
            <span class="bad">${trouble}</span>
        </div>
        <div class="scroll"><table class="options"><tbody>
            ${found.map((option) => html`<${Row} key=${`${option.level} ${option.option} ${read.count}`} id=${id} option=${option} />`)}
        </tbody></table></div>`
}
