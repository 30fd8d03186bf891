/* condition.h: what a call may wait for on one socket, beside the events of poll(2): whether it holds now. */
#pragma once

#include "daemon/sockets/result.h"
#include "daemon/sockets/socket.h"

/* All give DONE when it holds, RESULT_WAIT when it does not yet, or a refusal when it cannot on such a
 * socket. *now is what was found, when it holds. Safe on any thread that holds no lane's lock of the socket.
 */

/* At least so many bytes wait to be received, those left unread included. */
struct result condition_receive_queue(struct socket *socket, uint64_t least, uint64_t *now);

/* At most so many bytes that were sent are not acknowledged, or not taken by the peer. */
struct result condition_send_queue(struct socket *socket, uint64_t most, uint64_t *now);

/* TCP is in that state. */
struct result condition_tcp_state(struct socket *socket, int state);

/* A listener has a connection to accept. */
struct result condition_connection(struct socket *socket);

/* After how long a condition is to be checked again that the kernel does not always tell of, when it has been
 * waited for that long. */
int64_t condition_pause_ns(int64_t waited_ns);
