/* route.js: which view the address asks for: "#/sockets/k7f-1/graphs" is ["sockets", "k7f-1", "graphs"]. */
import { makeStore } from '../shared/store.js'

const read = () => location.hash.replace(/^#\/?/, '').split('/').filter(Boolean).map(decodeURIComponent)

export const route = makeStore(read())
addEventListener('hashchange', () => route.set(read()))

export const link = (...parts) => `#/${parts.map(encodeURIComponent).join('/')}`
