/* graphs.js: a connection's TCP_INFO over time. */
import uPlot from 'uplot'
import { html, useEffect, useRef } from '../shared/dom.js'
import { useStore } from '../shared/store.js'
import { theme } from '../shared/theme.js'

const height = 150

/* Each chart: its lines, as the members of struct tcp_info have them, and how high it is at least. `per`: by how much it grew
 * each second. */
const charts = [
    {
        title: 'Round trip, ms',
        least: 0.1,
        lines: [
            { name: 'rtt', scale: 1e-3 },
            { name: 'min_rtt', scale: 1e-3 },
        ],
    },
    { title: 'Congestion window, segments', least: 10, lines: [{ name: 'snd_cwnd' }] },
    { title: 'Retransmits', least: 1, lines: [{ name: 'total_retrans' }] },
    {
        title: 'Throughput, KiB/s',
        least: 1,
        lines: [
            { name: 'bytes_received', scale: 1 / 1024, per: true },
            { name: 'bytes_acked', scale: 1 / 1024, per: true },
        ],
    },
]

/* 64-bit members may stand as text. */
const valueOf = (sample, name) => Number(sample.info[name] ?? NaN)

function valuesOf(samples, { name, scale = 1, per }) {
    if (!per) return samples.map((sample) => valueOf(sample, name) * scale)
    return samples.map((sample, i) => {
        const before = samples[i - 1]
        return before ? ((valueOf(sample, name) - valueOf(before, name)) / (sample.time - before.time)) * scale : null
    })
}

const dataOf = (samples, lines) => [samples.map(({ time }) => time), ...lines.map((line) => valuesOf(samples, line))]

/* A canvas knows no CSS variables. */
function colors(element) {
    const style = getComputedStyle(element)
    const probe = (name) => {
        element.style.color = `var(${name})`
        const found = style.color
        element.style.color = ''
        return found
    }
    return { text: probe('--dim'), grid: probe('--line'), lines: [probe('--accent'), probe('--warn')] }
}

const clocks = (_, times) => times.map((time) => new Date(time * 1000).toTimeString().slice(0, 8))

function makePlot(element, { lines, least }) {
    const { text, grid, lines: strokes } = colors(element)
    const axis = { stroke: text, grid: { stroke: grid, width: 1 }, ticks: { stroke: grid, width: 1 } }
    return new uPlot(
        {
            width: element.clientWidth,
            height,
            cursor: { y: false },
            axes: [
                { ...axis, values: clocks, space: 80 },
                { ...axis, size: 56 },
            ],
            scales: { y: { range: (_, lowest, highest) => [0, Math.max(highest ?? 0, least) * 1.1] } },
            series: [
                {},
                ...lines.map(({ name }, i) => ({ label: name, stroke: strokes[i], width: 1.5, points: { show: false } })),
            ],
        },
        [[], ...lines.map(() => [])],
        element,
    )
}

function Chart({ chart, samples }) {
    const colors = useStore(theme)
    const element = useRef()
    const plot = useRef()
    useEffect(() => {
        plot.current = makePlot(element.current, chart)
        const resize = new ResizeObserver(([{ contentRect }]) => plot.current.setSize({ width: contentRect.width, height }))
        resize.observe(element.current)
        return () => {
            resize.disconnect()
            plot.current.destroy()
        }
    }, [colors])
    useEffect(() => plot.current.setData(dataOf(samples, chart.lines)), [samples, colors])
    const newest = chart.lines.map(
        (line) =>
            `${line.name} ${
                valuesOf(samples.slice(-2), line)
                    .at(-1)
                    ?.toFixed(line.scale ? 2 : 0) ?? '–'
            }`,
    )
    return html`<figure>
        <figcaption>${chart.title}: ${newest.map((text, i) => html` <span class="line-${i}">${text}</span>`)}</figcaption>
        <div class="plot" ref=${element} role="img" aria-label="${chart.title}: ${newest.join(', ')}"></div>
    </figure>`
}

/** @param {{samples: import('./samples.js').Sample[], trouble: string}} props */
export function Graphs({ samples, trouble }) {
    return html`${trouble && html`<p class="hint">${trouble}</p>`}
        ${
            samples.length > 0 &&
            html`<div class="graphs">
            ${charts.map((chart) => html`<${Chart} key=${chart.title} chart=${chart} samples=${samples} />`)}
        </div>`
        }`
}
