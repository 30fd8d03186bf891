/* login.js: asks for the token. */
import { html, useState } from '../shared/dom.js'
import { get } from './api.js'
import { follow } from './feed.js'
import { dropToken, setToken } from './token.js'

export function Login() {
    const [trouble, setTrouble] = useState('')
    const submit = async (event) => {
        event.preventDefault()
        setToken(new FormData(event.target).get('token').trim())
        try {
            await get('/v1/sockets', { limit: 1 })
            follow()
        } catch (error) {
            dropToken()
            setTrouble(error.status === 401 ? 'The daemon does not know this token.' : error.message)
        }
    }
    return html`<form class="login" onsubmit=${submit}>
        <h1>Sign in</h1>
        <p>The daemon printed the file that holds its token when it started.</p>
        <label>Token <input name="token" type="password" required autocomplete="off" autofocus /></label>
        <button>Sign in</button>
        <p role="alert">${trouble}</p>
    </form>`
}
