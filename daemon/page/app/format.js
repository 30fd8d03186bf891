/* format.js: how a socket is written, as ss(8) does it. */

const netids = {
    AF_UNIX: { SOCK_STREAM: 'u_str', SOCK_DGRAM: 'u_dgr', SOCK_SEQPACKET: 'u_seq' },
    AF_PACKET: { SOCK_RAW: 'p_raw', SOCK_DGRAM: 'p_dgr' },
    AF_VSOCK: { SOCK_STREAM: 'v_str', SOCK_DGRAM: 'v_dgr', SOCK_SEQPACKET: 'v_seq' },
    AF_NETLINK: { SOCK_RAW: 'nl', SOCK_DGRAM: 'nl' },
}

export const netid = ({ family, type, protocol }) =>
    netids[family]?.[type] ?? String(protocol).replace('IPPROTO_', '').toLowerCase()

const tcpNames = { ESTABLISHED: 'ESTAB' }
const otherNames = { listening: 'LISTEN', connected: 'ESTAB', connecting: 'SYN-SENT' }

export function state(socket) {
    const tcp = socket.tcp_state?.replace('TCP_', '')
    if (tcp) return tcpNames[tcp] ?? tcp.replaceAll('_', '-')
    return otherNames[socket.state] ?? 'UNCONN'
}

const writers = {
    AF_INET: ({ host, port }) => `${host}:${port}`,
    AF_INET6: ({ host, port, scope_id }) => `[${host}${scope_id ? `%${scope_id}` : ''}]:${port}`,
    AF_UNIX: ({ path, abstract, path_base64, abstract_base64 }) =>
        path ?? (abstract === undefined ? (path_base64 ?? abstract_base64 ?? '*') : `@${abstract}`),
    AF_VSOCK: ({ cid, port }) => `${cid}:${port}`,
    AF_PACKET: ({ interface: name, protocol }) => `${name}:${protocol}`,
    AF_NETLINK: ({ pid, groups }) => `${pid}:${groups}`,
}

export const address = (value) =>
    value === null || value === undefined ? '' : (writers[value.family]?.(value) ?? JSON.stringify(value))

const scales = [
    [2 ** 30, 'GiB'],
    [2 ** 20, 'MiB'],
    [2 ** 10, 'KiB'],
]

export function bytes(count) {
    const [scale, unit] = scales.find(([least]) => count >= least) ?? [1, 'B']
    const shown = count / scale
    return `${scale === 1 || shown >= 100 ? Math.round(shown) : shown.toFixed(1)} ${unit}`
}

export const rate = (perSecond) => (perSecond ? `${bytes(perSecond)}/s` : '')

const spans = [
    [86400, 'd'],
    [3600, 'h'],
    [60, 'min'],
    [1, 's'],
]

/** Seconds, in their largest unit. */
export function age(seconds) {
    const [span, unit] = spans.find(([least]) => seconds >= least) ?? [1, 's']
    return `${Math.floor(seconds / span)} ${unit}`
}

/** The time of day, in milliseconds. */
export const clock = (time) => {
    const date = new Date(time)
    return `${date.toTimeString().slice(0, 8)}.${String(date.getMilliseconds()).padStart(3, '0')}`
}
