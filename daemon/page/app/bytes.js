/* bytes.js: payloads: base64, hexadecimal, dumps. */

export const fromBase64 = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0))

export function toBase64(bytes) {
    const step = 0x8000 // as many as may be the arguments of one call
    let text = ''
    for (let i = 0; i < bytes.length; i += step) text += String.fromCharCode(...bytes.subarray(i, i + step))
    return btoa(text)
}

/** "de ad BE:EF" or "0xdeadbeef"; null when it is none. */
export function fromHex(text) {
    const digits = text.replace(/0x|[\s:,]/gi, '')
    if (!/^([0-9a-f]{2})*$/i.test(digits)) return null
    return Uint8Array.from(digits.match(/../g) ?? [], (pair) => parseInt(pair, 16))
}

const hex = (byte) => byte.toString(16).padStart(2, '0')
const printable = (byte) => (byte > 31 && byte < 127 ? String.fromCharCode(byte) : '.')
const width = 16

/** As `hexdump -C` has it. */
export function dump(bytes, first = 0) {
    const lines = []
    for (let at = 0; at < bytes.length; at += width) {
        const row = [...bytes.subarray(at, at + width)]
        const digits = row
            .map(hex)
            .join(' ')
            .padEnd(width * 3)
        lines.push(`${(first + at).toString(16).padStart(8, '0')}  ${digits} |${row.map(printable).join('')}|`)
    }
    return lines.join('\n')
}

/** As UTF-8; what is none of it becomes U+FFFD. */
export const toText = (bytes) => new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes)

export const fromText = (text) => new TextEncoder().encode(text)
