/* curl.js: a request as the curl line that makes it. */

/* JSON in ASCII, so that a terminal shows all of it. */
const ascii = (json) =>
    json.replace(/[^ -~]/gu, (character) =>
        [...Array(character.length).keys()].map((i) => `\\u${character.charCodeAt(i).toString(16).padStart(4, '0')}`).join(''),
    )

/** For a shell. */
const quote = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`)

/** The path and query of a request; parameters that are no text are JSON there. */
export function targetOf({ path, query = {} }) {
    const pairs = Object.entries(query).map(([name, value]) => {
        const list = Array.isArray(value) && value.every((each) => typeof each !== 'object')
        const text = list ? value.join('|') : typeof value === 'object' ? JSON.stringify(value) : String(value)
        return `${encodeURIComponent(name)}=${encodeURIComponent(text)}`
    })
    return pairs.length > 0 ? `${path}?${pairs.join('&')}` : path
}

/**
 * @param {string} origin
 * @param {{method: string, path: string, query?: object, body?: object, upload?: string}} request
 *     `upload`: the name of a file that is the body
 */
export function curlLine(origin, request) {
    const { method, body, upload } = request
    const words = ['curl']
    const implied = upload !== undefined ? 'PUT' : body !== undefined ? 'POST' : 'GET'
    if (method !== implied) words.push('-X', method)
    words.push('-H "Authorization: Bearer $TOKEN"')
    if (upload !== undefined) words.push('-T', quote(upload))
    words.push(quote(origin + targetOf(request)))
    if (body !== undefined) words.push('--json', quote(ascii(JSON.stringify(body))))
    return words.join(' ')
}
