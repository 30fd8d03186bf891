/* escape.js: text that others chose, made harmless to look at.
 *
 * Views only ever make text nodes of it, so it is never markup. What is left are characters that show nothing, move the
 * cursor, or turn the direction of writing: they are shown by their number. */

/* Controls, format characters (directions, joiners, tags), surrogates, private and unassigned ones, separators, and fillers. */
const hidden = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}\p{DI}]/gu

const short = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '\0': '\\0', '\x1b': '\\e' }

const escapeOne = (character) => {
    const code = character.codePointAt(0)
    return short[character] ?? (code < 256 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`)
}

/** The text on one line. */
export const plain = (text) => String(text ?? '').replace(hidden, escapeOne)

/** The text with its lines kept: what we laid out ourselves, such as JSON. */
export const plainLines = (text) => String(text).split('\n').map(plain).join('\n')

/**
 * The text in pieces, so that escapes can be told from text that looks like one.
 * @returns {{text: string, escape: boolean}[]}
 */
export function pieces(text) {
    const found = []
    let from = 0
    for (const { 0: character, index } of text.matchAll(hidden)) {
        if (index > from) found.push({ text: text.slice(from, index), escape: false })
        const last = found.at(-1)
        if (last?.escape) last.text += escapeOne(character)
        else found.push({ text: escapeOne(character), escape: true })
        if (character === '\n') found.push({ text: '\n', escape: false })
        from = index + character.length
    }
    if (from < text.length) found.push({ text: text.slice(from), escape: false })
    return found
}
