/* all.js: all tests in one process, so that they share one browser. */
import './test_sign_in.js'
import './test_table.js'
import './test_socket.js'
import './test_hostile.js'
import './test_feed.js'
import './test_calls.js'
import './test_look.js'
import './test_example.js'
