/* theme.js: dark or light: as the system has it, until one is chosen. */
import { html } from './dom.js'
import { makeStore, useStore } from './store.js'

const key = 'sockwright.theme'
const dark = matchMedia('(prefers-color-scheme: dark)')
const chosen = localStorage.getItem(key)

const effective = () => document.documentElement.dataset.theme ?? (dark.matches ? 'dark' : 'light')

if (chosen) document.documentElement.dataset.theme = chosen
export const theme = makeStore(effective())
dark.addEventListener('change', () => theme.set(effective()))

function toggle() {
    const next = theme.get() === 'dark' ? 'light' : 'dark'
    document.documentElement.dataset.theme = next
    localStorage.setItem(key, next)
    theme.set(next)
}

export function ThemeToggle() {
    const other = useStore(theme) === 'dark' ? 'Light' : 'Dark'
    return html`<button class="quiet" onclick=${toggle}>${other}</button>`
}
