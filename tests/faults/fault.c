/* fault.c: the daemon's C library, with faults: in the test build, these functions come before the real ones,
 * for libmicrohttpd too. */
#include "tests/faults/fault.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PIECES_MAX = 64 };

static struct fault_page no_faults;
static struct fault_page *page = &no_faults;

extern const char __executable_start[], etext[];

/* The real function. Libraries call some of them before any constructor of ours has run. */
#define REAL(name)                                                                                           \
        __extension__({                                                                                      \
                static __typeof__(&(name)) real;                                                             \
                if (__atomic_load_n(&real, __ATOMIC_RELAXED) == NULL)                                        \
                        __atomic_store_n(                                                                    \
                                &real, (__typeof__(&(name)))dlsym(RTLD_NEXT, #name), __ATOMIC_RELAXED);      \
                __atomic_load_n(&real, __ATOMIC_RELAXED);                                                    \
        })

static uint32_t whose_is(const void *caller)
{
        const char *const from = caller;
        return from >= __executable_start && from < etext ? FAULT_OURS : FAULT_LIBRARY;
}

static bool is_meant(enum fault_call call, const void *caller)
{
        return (page->calls >> call & 1) != 0 && (page->whose & whose_is(caller)) != 0;
}

/* Whether this call fails; errno is set then. */
static bool fails(enum fault_call call, const void *caller)
{
        if (page->calls == 0 || page->cut != 0 || !is_meant(call, caller) || ++page->made % page->every != 0)
                return false;
        page->failed++;
        errno = page->error;
        return true;
}

#define FAILS(name) fails(CALL_##name, __builtin_return_address(0))

/* How many bytes of a stream's transfer are passed on. */
static size_t shorten(enum fault_call call, const void *caller, int fd, size_t size)
{
        int type = 0;
        socklen_t type_size = sizeof type;
        const size_t cut = page->cut;
        if (cut == 0 || size <= cut || !is_meant(call, caller) ||
                getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_size) != 0 || type != SOCK_STREAM)
                return size;
        page->made++;
        page->failed++;
        return cut;
}

#define SHORTEN(name, fd, size) shorten(CALL_##name, __builtin_return_address(0), fd, size)

/* The parameters' names in glibc's headers are reserved ones. */
/* NOLINTBEGIN(readability-inconsistent-declaration-parameter-name) */

/* A message with as much less room, or as many fewer bytes. */
struct shortened {
        struct msghdr header;
        struct iovec pieces[PIECES_MAX];
};

static void shorten_message(
        enum fault_call call, const void *caller, int fd, const struct msghdr *message, struct shortened *out)
{
        size_t size = 0;
        out->header = *message;
        if (page->cut == 0 || message->msg_iovlen > PIECES_MAX)
                return;
        for (size_t i = 0; i < message->msg_iovlen; i++)
                size += message->msg_iov[i].iov_len;
        size_t left = shorten(call, caller, fd, size);
        for (size_t i = 0; i < message->msg_iovlen; i++) {
                out->pieces[i] = message->msg_iov[i];
                if (out->pieces[i].iov_len > left)
                        out->pieces[i].iov_len = left;
                left -= out->pieces[i].iov_len;
        }
        out->header.msg_iov = out->pieces;
}

int accept4(int fd, __SOCKADDR_ARG address, socklen_t *size, int flags)
{
        return FAILS(accept4) ? -1 : REAL(accept4)(fd, address, size, flags);
}

int bind(int fd, __CONST_SOCKADDR_ARG address, socklen_t size)
{
        return FAILS(bind) ? -1 : REAL(bind)(fd, address, size);
}

int connect(int fd, __CONST_SOCKADDR_ARG address, socklen_t size)
{
        return FAILS(connect) ? -1 : REAL(connect)(fd, address, size);
}

int dup3(int old, int new, int flags)
{
        return FAILS(dup3) ? -1 : REAL(dup3)(old, new, flags);
}

int epoll_create1(int flags)
{
        return FAILS(epoll_create1) ? -1 : REAL(epoll_create1)(flags);
}

int eventfd(unsigned count, int flags)
{
        return FAILS(eventfd) ? -1 : REAL(eventfd)(count, flags);
}

int listen(int fd, int backlog)
{
        return FAILS(listen) ? -1 : REAL(listen)(fd, backlog);
}

int memfd_create(const char *name, unsigned flags)
{
        return FAILS(memfd_create) ? -1 : REAL(memfd_create)(name, flags);
}

/* To take something out never fails. */
int epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event)
{
        if (operation != EPOLL_CTL_DEL && FAILS(epoll_ctl))
                return -1;
        return REAL(epoll_ctl)(epoll, operation, fd, event);
}

int epoll_pwait2(int epoll, struct epoll_event *events, int count, const struct timespec *timeout,
        const sigset_t *mask)
{
        return FAILS(epoll_pwait2) ? -1 : REAL(epoll_pwait2)(epoll, events, count, timeout, mask);
}

int epoll_wait(int epoll, struct epoll_event *events, int count, int timeout)
{
        return FAILS(epoll_wait) ? -1 : REAL(epoll_wait)(epoll, events, count, timeout);
}

/* Only where it makes a descriptor. */
int fcntl(int fd, int command, ...)
{
        va_list arguments;
        va_start(arguments, command);
        void *const argument = va_arg(arguments, void *);
        va_end(arguments);
        if (command == F_DUPFD_CLOEXEC && FAILS(fcntl))
                return -1;
        return REAL(fcntl)(fd, command, argument);
}

int open(const char *path, int flags, ...)
{
        va_list arguments;
        va_start(arguments, flags);
        const mode_t mode = (flags & (O_CREAT | __O_TMPFILE)) != 0 ? va_arg(arguments, mode_t) : 0;
        va_end(arguments);
        return FAILS(open) ? -1 : REAL(open)(path, flags, mode);
}

int pipe2(int ends[2], int flags)
{
        return FAILS(pipe2) ? -1 : REAL(pipe2)(ends, flags);
}

int poll(struct pollfd *fds, nfds_t count, int timeout)
{
        return FAILS(poll) ? -1 : REAL(poll)(fds, count, timeout);
}

int pthread_create(pthread_t *restrict thread, const pthread_attr_t *restrict attributes,
        void *(*run)(void *), void *restrict context)
{
        return FAILS(pthread_create) ? errno : REAL(pthread_create)(thread, attributes, run, context);
}

ssize_t read(int fd, void *bytes, size_t size)
{
        return FAILS(read) ? -1 : REAL(read)(fd, bytes, size);
}

ssize_t write(int fd, const void *bytes, size_t size)
{
        return FAILS(write) ? -1 : REAL(write)(fd, bytes, size);
}

ssize_t recv(int fd, void *bytes, size_t size, int flags)
{
        return FAILS(recv) ? -1 : REAL(recv)(fd, bytes, SHORTEN(recv, fd, size), flags);
}

ssize_t recvfrom(int fd, void *restrict bytes, size_t size, int flags, __SOCKADDR_ARG address,
        socklen_t *restrict address_size)
{
        return FAILS(recvfrom) ? -1 : REAL(recvfrom)(fd, bytes, size, flags, address, address_size);
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
        struct shortened shortened;
        if (FAILS(recvmsg))
                return -1;
        shorten_message(CALL_recvmsg, __builtin_return_address(0), fd, message, &shortened);
        const ssize_t received = REAL(recvmsg)(fd, &shortened.header, flags);
        struct iovec *const pieces = message->msg_iov;
        *message = shortened.header;
        message->msg_iov = pieces;
        return received;
}

int recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags, struct timespec *timeout)
{
        struct shortened shortened;
        if (FAILS(recvmmsg))
                return -1;
        shorten_message(CALL_recvmmsg, __builtin_return_address(0), fd, &messages->msg_hdr, &shortened);
        struct iovec *const pieces = messages->msg_hdr.msg_iov;
        messages->msg_hdr.msg_iov = shortened.header.msg_iov;
        const int received = REAL(recvmmsg)(fd, messages, count, flags, timeout);
        messages->msg_hdr.msg_iov = pieces;
        return received;
}

ssize_t send(int fd, const void *bytes, size_t size, int flags)
{
        return FAILS(send) ? -1 : REAL(send)(fd, bytes, SHORTEN(send, fd, size), flags);
}

ssize_t sendto(int fd, const void *bytes, size_t size, int flags, __CONST_SOCKADDR_ARG address,
        socklen_t address_size)
{
        if (FAILS(sendto))
                return -1;
        return REAL(sendto)(fd, bytes, SHORTEN(sendto, fd, size), flags, address, address_size);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
        struct shortened shortened;
        if (FAILS(sendmsg))
                return -1;
        shorten_message(CALL_sendmsg, __builtin_return_address(0), fd, message, &shortened);
        return REAL(sendmsg)(fd, &shortened.header, flags);
}

int sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
        struct shortened shortened;
        if (FAILS(sendmmsg))
                return -1;
        shorten_message(CALL_sendmmsg, __builtin_return_address(0), fd, &messages->msg_hdr, &shortened);
        struct iovec *const pieces = messages->msg_hdr.msg_iov;
        messages->msg_hdr.msg_iov = shortened.header.msg_iov;
        const int sent = REAL(sendmmsg)(fd, messages, count, flags);
        messages->msg_hdr.msg_iov = pieces;
        return sent;
}

int socket(int family, int type, int protocol)
{
        return FAILS(socket) ? -1 : REAL(socket)(family, type, protocol);
}

int socketpair(int family, int type, int protocol, int ends[2])
{
        return FAILS(socketpair) ? -1 : REAL(socketpair)(family, type, protocol, ends);
}

ssize_t splice(int from, off64_t *from_offset, int to, off64_t *to_offset, size_t size, unsigned flags)
{
        if (FAILS(splice))
                return -1;
        return REAL(splice)(from, from_offset, to, to_offset, size, flags);
}

int clock_gettime(clockid_t clock, struct timespec *out)
{
        const int result = REAL(clock_gettime)(clock, out);
        if (clock == CLOCK_REALTIME)
                out->tv_sec += page->realtime_shift_s;
        return result;
}

/* The linker has these called by the daemon's own code alone (--wrap). */
void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_realloc(void *memory, size_t size);

void *__wrap_malloc(size_t size)
{
        return fails(CALL_malloc, __executable_start) ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
        return fails(CALL_calloc, __executable_start) ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
        return fails(CALL_realloc, __executable_start) ? NULL : __real_realloc(memory, size);
}

__attribute__((constructor)) static void open_page(void)
{
        const char *const path = getenv(FAULT_PAGE_VARIABLE);
        const int fd = path == NULL ? -1 : REAL(open)(path, O_RDWR | O_CLOEXEC, 0);
        if (fd < 0)
                return;
        void *const shared = mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        close(fd);
        if (shared != MAP_FAILED)
                page = shared;
}
/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */
