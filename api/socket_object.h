/* socket_object.h: what is said of a socket. */
#pragma once

#include "api/call.h"
#include "api/record.h"

/* Describes a socket as the kernel has it now. Texts are in the call's arena or the socket's own, and live no
 * longer than both; the rest is for fields_release(). */
void socket_describe(struct call *call, struct socket *socket, struct socket_object *out);
