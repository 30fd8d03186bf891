/* document.js: /openapi.json, loaded once. */
import { readOperations } from '../shared/contract.js'
import { useEffect, useState } from '../shared/dom.js'
import { get } from './api.js'

let loading = null

const load = async () => {
    const document = await get('/openapi.json')
    return { document, operations: readOperations(document) }
}

/** @returns {null | {document: object, operations: import('../shared/contract.js').Operation[]}} null until it is there */
export function useContract() {
    const [contract, setContract] = useState(null)
    useEffect(() => {
        loading ??= load().catch((error) => {
            loading = null
            throw error
        })
        loading.then(setContract, () => {})
    }, [])
    return contract
}
