/* stream.c: the streams, and the thread that gives each of them its turns.
 *
 * A stream is the thread's alone once it is begun; others only put it into the list of those to come, and say
 * by `wake` that there is something to look at. One that has ended is freed when all events at hand are done
 * with, as these point to it. */
#include "daemon/stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "daemon/log.h"
#include "daemon/sockets/cleanup.h"
#include "daemon/sockets/thread.h"
#include "daemon/stream_turn.h"

enum { EVENTS_AT_ONCE = 64 };

/* Of the messages that are taken: a stream's bytes come in any number of them. */
enum { STREAM_MESSAGE_MAX = 1 << 20 };

static const int64_t NS_PER_MS = 1000000;

struct streams {
        pthread_t thread;
        int epoll, wake; /* wake: an eventfd, to look again */
        int64_t ping_ns;

        pthread_mutex_t lock; /* guards the three below */
        struct stream *coming;
        bool shutting_down, stopping;

        /* The thread's own. */
        struct stream *first;
        int64_t due_ns; /* nothing is due earlier */
        bool reaps;     /* some have ended */
        uint8_t scratch[FAR_END_BLOCK];
};

/* seccomp: write */
static void wake(struct streams *streams)
{
        eventfd_write(streams->wake, 1);
}

/* seccomp: epoll_ctl */
static void watch(struct stream_entry *entry, bool there, uint32_t events)
{
        struct epoll_event event = { .events = events, .data.ptr = entry };
        if (entry->fd < 0 || (there == entry->there && (!there || events == entry->events)))
                return;
        epoll_ctl(entry->stream->streams->epoll,
                !there         ? EPOLL_CTL_DEL
                : entry->there ? EPOLL_CTL_MOD
                               : EPOLL_CTL_ADD,
                entry->fd, &event);
        entry->there = there;
        entry->events = events;
}

/* The tenant's. The descriptor leaves the epoll before it is closed: others may have what it stands for. */
static void evict(struct tenant *tenant)
{
        struct far_end *const far_end = (struct far_end *)((char *)tenant - offsetof(struct far_end, tenant));
        struct stream *const stream = (struct stream *)((char *)far_end - offsetof(struct stream, far_end));
        LOCK_SCOPE(&stream->lock);
        watch(&stream->peer, false, 0);
        stream->evicted = true;
        wake(stream->streams);
}

void stream_let_go(struct stream *stream)
{
        {
                LOCK_SCOPE(&stream->lock);
                watch(&stream->peer, false, 0);
                stream->peer.fd = -1;
        }
        far_end_leave(stream->call);
}

static void watch_all(struct stream *stream)
{
        watch(&stream->client, !stream->unwatched, stream_client_events(stream));
        const uint32_t events = stream_peer_events(stream);
        LOCK_SCOPE(&stream->lock);
        watch(&stream->peer, events != 0 && !stream->evicted, events);
}

struct stream *stream_new(struct streams *streams, struct call *call, bool datagrams)
{
        struct stream *const stream = calloc(1, sizeof *stream);
        if (stream == NULL)
                return NULL;
        stream->streams = streams;
        stream->call = call;
        stream->keeps_boundaries = socket_has_boundaries(call->socket);
        stream->far_end = (struct far_end){ .tenant.evict = evict, .datagrams = datagrams };
        stream->client = stream->peer = stream->witness = (struct stream_entry){ .stream = stream, .fd = -1 };
        pthread_mutex_init(&stream->lock, NULL);
        call->far_end = &stream->far_end;
        return stream;
}

void stream_free(struct stream *stream)
{
        if (stream == NULL)
                return;
        far_end_leave(stream->call);
        stream->call->far_end = NULL;
        websocket_free(stream->websocket);
        pthread_mutex_destroy(&stream->lock);
        free(stream->in);
        free(stream);
}

/* All is let go of before the connection is: its end may free the call. */
static void end(struct stream *stream)
{
        const struct stream_connection connection = stream->connection;
        watch(&stream->client, false, 0);
        watch(&stream->witness, false, 0);
        {
                LOCK_SCOPE(&stream->lock);
                watch(&stream->peer, false, 0);
                stream->evicted = true;
        }
        stream_free(stream);
        connection.end(connection.context);
}

static uint64_t message_max(const struct stream *stream)
{
        if (stream->far_end.datagrams)
                return FAR_END_TEXT;
        return stream->keeps_boundaries ? FAR_END_BLOCK : STREAM_MESSAGE_MAX;
}

/* False: the thread has ended. */
static bool enlist(struct streams *streams, struct stream *stream)
{
        LOCK_SCOPE(&streams->lock);
        if (streams->stopping)
                return false;
        stream->next = streams->coming;
        streams->coming = stream;
        wake(streams);
        return true;
}

void stream_begin(struct stream *stream, const struct stream_connection *connection)
{
        struct streams *const streams = stream->streams;
        stream->connection = *connection;
        stream->client.fd = connection->fd;
        stream->witness.fd = connection->client_fd;
        {
                /* The socket may be closed before the handshake is over. */
                LOCK_SCOPE(&stream->lock);
                stream->peer.fd = stream->call->socket->fd;
        }
        stream->in = malloc(STREAM_IN_SIZE);
        stream->websocket =
                websocket_new(connection->fd, connection->early, connection->early_size, message_max(stream));
        if (stream->in != NULL && stream->websocket != NULL && enlist(streams, stream))
                return;
        stream_free(stream);
        connection->end(connection->context);
}

static void note_due(struct streams *streams, const struct stream *stream)
{
        const int64_t due_ns = stream->again ? 0 : stream->due_ns;
        if (due_ns < streams->due_ns)
                streams->due_ns = due_ns;
}

static void turn(struct stream *stream)
{
        if (stream->state != STREAM_ENDED)
                stream_turn(stream, stream->streams->scratch);
        if (stream->state == STREAM_ENDED) {
                stream->streams->reaps = true;
                return;
        }
        watch_all(stream);
        note_due(stream->streams, stream);
}

static void adopt(struct streams *streams, struct stream *stream)
{
        stream->next = streams->first;
        streams->first = stream;
        stream->heard = true;
        stream->due_ns = now_ns() + streams->ping_ns;
        watch(&stream->witness, true, EPOLLRDHUP);
}

/* What others want: streams that begin, sockets that are closed, the end. False: nothing is to be done any
 * more, but for ending what is left. seccomp: read */
static bool look_again(struct streams *streams)
{
        eventfd_read(streams->wake, &(eventfd_t){ 0 });
        pthread_mutex_lock(&streams->lock);
        struct stream *coming = TAKE(streams->coming);
        const bool shutting_down = streams->shutting_down, stopping = streams->stopping;
        pthread_mutex_unlock(&streams->lock);
        for (struct stream *next; coming != NULL; coming = next) {
                next = coming->next;
                adopt(streams, coming);
        }
        for (struct stream *stream = streams->first; stream != NULL; stream = stream->next) {
                if (shutting_down && stream->state != STREAM_ENDED)
                        stream_close(stream, WEBSOCKET_GOING_AWAY, "the daemon goes down");
                if (stopping)
                        stream->state = STREAM_ENDED;
                turn(stream);
        }
        return !stopping;
}

/* Streams that have something due, more to do, or ended. */
static void run_due(struct streams *streams)
{
        const int64_t now = now_ns();
        if (now < streams->due_ns)
                return;
        streams->due_ns = INT64_MAX;
        for (struct stream *stream = streams->first, *next; stream != NULL; stream = next) {
                next = stream->next;
                if (stream->due_ns <= now && stream->state != STREAM_ENDED)
                        stream_run_due(stream, streams->ping_ns);
                else if (!stream->again) {
                        note_due(streams, stream);
                        continue;
                }
                turn(stream);
        }
}

static void reap(struct streams *streams)
{
        if (!streams->reaps)
                return;
        streams->reaps = false;
        for (struct stream **at = &streams->first; *at != NULL;) {
                struct stream *const stream = *at;
                if (stream->state == STREAM_ENDED) {
                        *at = stream->next;
                        end(stream);
                } else {
                        at = &stream->next;
                }
        }
}

/* A connection that has hung up is told of for ever: it is not watched any more. The witness only knows that
 * the end is on its way. */
static void run_event(const struct epoll_event *event)
{
        struct stream_entry *const entry = event->data.ptr;
        struct stream *const stream = entry->stream;
        const bool ends = (event->events & (EPOLLHUP | EPOLLERR)) != 0;
        if (entry == &stream->peer && ends)
                socket_empty_error_queue(stream->call->socket->fd);
        if (entry == &stream->witness)
                watch(entry, false, 0);
        if (entry == &stream->client && ends)
                stream->unwatched = true;
        if (entry == &stream->witness || stream->unwatched)
                stream_hang_up(stream);
        turn(stream);
}

static int timeout_ms(const struct streams *streams)
{
        if (streams->due_ns == INT64_MAX)
                return -1;
        const int64_t left_ns = streams->due_ns - now_ns();
        return left_ns <= 0 ? 0 : (int)((left_ns + NS_PER_MS - 1) / NS_PER_MS);
}

/* seccomp: epoll_wait epoll_pwait */
static void *run(void *context)
{
        struct streams *const streams = context;
        struct epoll_event events[EVENTS_AT_ONCE];
        bool goes_on = true;
        pthread_setname_np(pthread_self(), "streams");
        while (goes_on) {
                const int count = epoll_wait(streams->epoll, events, EVENTS_AT_ONCE, timeout_ms(streams));
                for (int i = 0; i < count; i++)
                        if (events[i].data.ptr != NULL)
                                run_event(&events[i]);
                        else
                                goes_on = look_again(streams);
                run_due(streams);
                reap(streams);
        }
        return NULL;
}

static bool start_thread(struct streams *streams)
{
        errno = thread_start(&streams->thread, run, streams);
        return errno == 0;
}

/* seccomp: epoll_create1 epoll_ctl eventfd2 */
static bool open_epoll(struct streams *streams)
{
        struct epoll_event event = { .events = EPOLLIN };
        streams->epoll = epoll_create1(EPOLL_CLOEXEC);
        streams->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        return streams->epoll >= 0 && streams->wake >= 0 &&
               epoll_ctl(streams->epoll, EPOLL_CTL_ADD, streams->wake, &event) == 0;
}

static void dispose(struct streams *streams)
{
        if (streams->epoll >= 0)
                close(streams->epoll);
        if (streams->wake >= 0)
                close(streams->wake);
        pthread_mutex_destroy(&streams->lock);
        free(streams);
}

struct streams *streams_start(int64_t ping_ns)
{
        struct streams *const streams = calloc(1, sizeof *streams);
        if (streams != NULL) {
                streams->ping_ns = ping_ns;
                streams->due_ns = INT64_MAX;
                pthread_mutex_init(&streams->lock, NULL);
                if (open_epoll(streams) && start_thread(streams))
                        return streams;
                dispose(streams);
        }
        log_write(LOG_LEVEL_ERROR, "no streams: %s", strerror(errno));
        return NULL;
}

void streams_shut_down(struct streams *streams)
{
        LOCK_SCOPE(&streams->lock);
        streams->shutting_down = true;
        wake(streams);
}

void streams_stop(struct streams *streams)
{
        if (streams == NULL)
                return;
        {
                LOCK_SCOPE(&streams->lock);
                streams->stopping = true;
                wake(streams);
        }
        pthread_join(streams->thread, NULL);
}

void streams_free(struct streams *streams)
{
        if (streams != NULL)
                dispose(streams);
}
