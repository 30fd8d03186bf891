/* test_example.js: a dashboard of another origin reads the daemon when its origin is allowed, and not else. */
import { play, stage } from './play.js'

const address = (origin, daemon) => `${origin}/#url=${daemon.url}&token=${daemon.token}`

play('an allowed origin shows the sockets', { signedIn: false }, async (tab, daemon) => {
    await daemon.open({ label: 'for <b>all</b> to see' })
    await tab.goto(address(stage.allowed.origin, daemon))
    await tab.getByText('1 sockets').waitFor()
    await tab.getByText('created for <b>all</b> to see').waitFor()
})

play('another origin gets nothing', { signedIn: false }, async (tab, daemon) => {
    await daemon.open({ label: 'secret' })
    await tab.goto(address(stage.other.origin, daemon))
    await tab.getByText('No answer from').waitFor()
    tab.faults = tab.faults.filter((fault) => !fault.includes('blocked by CORS policy'))
})
