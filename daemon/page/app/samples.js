/* samples.js: TCP_INFO of a connection, read each second while one looks at it. */
import { useEffect, useState } from '../shared/dom.js'
import { append } from '../shared/store.js'
import { post } from './api.js'

const everyMs = 1000
const limit = 600

const isTcp = ({ protocol, state }) => protocol === 'IPPROTO_TCP' && state === 'connected'

/**
 * @typedef {object} Sample
 * @property {number} time  Unix time, in seconds
 * @property {object} info  the members of struct tcp_info
 */

/** @returns {{samples: Sample[], trouble: string}} */
export function useSamples(socket) {
    const [samples, setSamples] = useState([])
    const [trouble, setTrouble] = useState('')
    const tcp = isTcp(socket)
    useEffect(() => {
        if (!tcp) return undefined
        const take = async () => {
            try {
                const path = `/v1/sockets/${encodeURIComponent(socket.id)}/getsockopt`
                const { value: info } = await post(path, { level: 'IPPROTO_TCP', option: 'TCP_INFO' })
                setSamples((before) => append(before, [{ time: Date.now() / 1000, info }], limit))
                setTrouble('')
            } catch (error) {
                setTrouble(error.message)
            }
        }
        take()
        const timer = setInterval(take, everyMs)
        return () => clearInterval(timer)
    }, [socket.id, tcp])
    return { samples, trouble: tcp || samples.length > 0 ? trouble : 'TCP_INFO is there for TCP connections only.' }
}
