/* dom.js: what all views are written with. */
import { h } from 'preact'
import htm from 'htm'

export { render } from 'preact'
export { useEffect, useMemo, useRef, useState } from 'preact/hooks'
export const html = htm.bind(h)
