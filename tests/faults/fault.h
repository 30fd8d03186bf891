/* fault.h: the page that a test shares with the daemon of the test build: what is to fail, how often, and how
 * often it has. */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

/* The functions of the C library that can be made to fail. */
#define FAULT_CALLS(CALL)                                                                                    \
        CALL(accept4)                                                                                        \
        CALL(bind)                                                                                           \
        CALL(calloc)                                                                                         \
        CALL(connect)                                                                                        \
        CALL(dup3)                                                                                           \
        CALL(epoll_create1)                                                                                  \
        CALL(epoll_ctl)                                                                                      \
        CALL(epoll_pwait2)                                                                                   \
        CALL(epoll_wait)                                                                                     \
        CALL(eventfd)                                                                                        \
        CALL(fcntl)                                                                                          \
        CALL(listen)                                                                                         \
        CALL(malloc)                                                                                         \
        CALL(memfd_create)                                                                                   \
        CALL(open)                                                                                           \
        CALL(pipe2)                                                                                          \
        CALL(poll)                                                                                           \
        CALL(pthread_create)                                                                                 \
        CALL(read)                                                                                           \
        CALL(realloc)                                                                                        \
        CALL(recv)                                                                                           \
        CALL(recvfrom)                                                                                       \
        CALL(recvmmsg)                                                                                       \
        CALL(recvmsg)                                                                                        \
        CALL(send)                                                                                           \
        CALL(sendmmsg)                                                                                       \
        CALL(sendmsg)                                                                                        \
        CALL(sendto)                                                                                         \
        CALL(socket)                                                                                         \
        CALL(socketpair)                                                                                     \
        CALL(splice)                                                                                         \
        CALL(write)

enum fault_call {
#define FAULT_CALL(name) CALL_##name,
        FAULT_CALLS(FAULT_CALL)
#undef FAULT_CALL
};

#define FAULT_OF(name) (UINT64_C(1) << CALL_##name)

/* Where the page is: a file's path. */
#define FAULT_PAGE_VARIABLE "SOCKWRIGHT_FAULTS"

struct fault_page {
        _Atomic uint64_t calls; /* FAULT_OF() each that may fail; 0: none does */
        _Atomic int error;      /* with this errno */
        _Atomic uint32_t every; /* each so-many-th of them fails */
        _Atomic uint32_t whose; /* FAULT_OURS, FAULT_LIBRARY or both */
        _Atomic uint32_t cut;   /* of streams: a transfer is of at most so many bytes, where that is not 0 */
        _Atomic int64_t realtime_shift_s;
        _Atomic uint32_t made, failed; /* calls that might have failed, and that did */
};

/* Calls made by the daemon's own code, and those that libmicrohttpd makes for it. */
enum { FAULT_OURS = 1, FAULT_LIBRARY = 2 };
