/* token.js: the token that calls show. It comes in the fragment of the page's address, which browsers send to nobody, or from
 * the login form; it is kept as long as the tab. */
const key = 'sockwright.token'

/** Takes #token=… out of the address, so that no bookmark or history keeps it. */
export function takeFragment() {
    const found = /^#token=([^&]+)/.exec(location.hash)
    if (!found) return
    sessionStorage.setItem(key, decodeURIComponent(found[1]))
    history.replaceState(null, '', location.pathname)
}

export const setToken = (token) => sessionStorage.setItem(key, token)
export const dropToken = () => sessionStorage.removeItem(key)

/** Without one, the daemon may know the caller in another way: by a certificate, or through a unix socket. */
export function authorization() {
    const token = sessionStorage.getItem(key)
    return token === null ? {} : { Authorization: `Bearer ${token}` }
}
