/* store.js: a value that views are drawn from, again after each change. */
import { useEffect, useState } from './dom.js'

/** @template T @param {T} value */
export function makeStore(value) {
    const watchers = new Set()
    return {
        get: () => value,
        set(next) {
            value = next
            for (const watcher of watchers) watcher()
        },
        watch(watcher) {
            watchers.add(watcher)
            return () => watchers.delete(watcher)
        },
    }
}

/** The store's value; whoever calls this is drawn again when it changes. */
export function useStore(store) {
    const [, draw] = useState(0)
    useEffect(() => store.watch(() => draw((count) => count + 1)), [store])
    return store.get()
}

/** The list with more at its end, of which the newest `limit` stay. */
export const append = (list, items, limit) => [...list, ...items].slice(-limit)
