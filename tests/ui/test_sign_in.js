/* test_sign_in.js: how one comes in: by the printed address, or by the form. */
import assert from 'node:assert/strict'
import { button, play } from './play.js'

play('the printed address signs in, and keeps no token', async (tab) => {
    await tab.getByRole('heading', { name: 'Sockets' }).waitFor()
    assert.ok(!tab.url().includes('token'))
    await tab.reload()
    await tab.getByRole('heading', { name: 'Sockets' }).waitFor()
    await tab.getByText('There are no sockets').waitFor()
})

play('the form takes the token, and no other', { signedIn: false }, async (tab, daemon) => {
    await tab.goto(daemon.url)
    await tab.getByLabel('Token').fill('not the token')
    await button(tab, 'Sign in').click()
    await tab.getByText('does not know this token').waitFor()
    await tab.getByLabel('Token').fill(daemon.token)
    await button(tab, 'Sign in').click()
    await tab.getByRole('heading', { name: 'Sockets' }).waitFor()
    await button(tab, 'Sign out').click()
    await tab.getByLabel('Token').waitFor()
})
