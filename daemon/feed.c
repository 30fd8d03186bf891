/* feed.c: the thread that writes events to all who follow them.
 *
 * It sleeps until there is an event, and then writes to all readers, to each all that has come since its last
 * turn. Then it rests, as long as that took at least: the more readers and events there are, the more come
 * together in one write, and no more than half of one processor goes into it.
 *
 * A reader's connection is watched, edge-triggered, for room in it where it has taken no more, and for its
 * end. Over TCP the end of the client's stream is that, as it is for parked calls. */
#include "daemon/feed.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

#include "daemon/log.h"
#include "daemon/sockets/cleanup.h"
#include "daemon/sockets/thread.h"
#include "daemon/sockets/waiter.h"

enum { EVENTS_AT_ONCE = 64, WAKE_MS = 1000, NS_PER_S = 1000000000, REST_NS = 20000000 };

struct feed {
        int64_t heartbeat_ns;
        pthread_t thread;
        int epoll_fd;
        struct event_bell bell;
        struct frames *frames;
        struct reader *readers; /* the thread's own, as the frames */

        pthread_mutex_t lock; /* guards all below */
        struct reader *coming;
        bool shut_down, stopping;
};

/* seccomp: epoll_ctl */
static void enter(struct feed *feed, struct reader *reader)
{
        const uint32_t end = reader->is_local ? 0 : EPOLLRDHUP;
        struct epoll_event event = { .events = EPOLLOUT | EPOLLET | end, .data.ptr = reader };
        reader->gone |= epoll_ctl(feed->epoll_fd, EPOLL_CTL_ADD, reader->fd, &event) != 0;
        reader->spoken_ns = now_ns();
        reader->next = feed->readers;
        feed->readers = reader;
}

/* False: it is time to stop. */
static bool take_coming(struct feed *feed)
{
        struct reader *coming;
        bool shut_down, stopping;
        {
                LOCK_SCOPE(&feed->lock);
                coming = TAKE(feed->coming);
                shut_down = feed->shut_down;
                stopping = feed->stopping;
        }
        for (struct reader *next; coming != NULL; coming = next) {
                next = coming->next;
                enter(feed, coming);
        }
        for (struct reader *reader = feed->readers; shut_down && reader != NULL; reader = reader->next)
                reader->gone = true;
        return !stopping;
}

/* Gives back those who are gone. */
static void end_gone(struct feed *feed)
{
        for (struct reader **link = &feed->readers, *reader; (reader = *link) != NULL;) {
                if (!reader->gone) {
                        link = &reader->next;
                        continue;
                }
                *link = reader->next;
                epoll_ctl(feed->epoll_fd, EPOLL_CTL_DEL, reader->fd, NULL);
                reader->end(reader);
        }
}

/* Without a pointer it is the bell. */
static void note(struct feed *feed, const struct epoll_event *event)
{
        struct reader *const reader = event->data.ptr;
        if (reader == NULL) {
                event_bell_hush(&feed->bell);
                return;
        }
        if ((event->events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0)
                reader->gone = true;
        if ((event->events & EPOLLOUT) != 0)
                reader->blocked = false;
}

/* With readers it wakes for their heartbeats too. seccomp: epoll_wait epoll_pwait */
static void await(struct feed *feed)
{
        struct epoll_event events[EVENTS_AT_ONCE];
        const bool sleeps = feed->readers == NULL || event_bell_arm(&feed->bell, frames_last(feed->frames));
        const int timeout_ms = !sleeps ? 0 : feed->readers == NULL ? -1 : WAKE_MS;
        int count = epoll_wait(feed->epoll_fd, events, EVENTS_AT_ONCE, timeout_ms);
        while (count > 0) {
                for (int i = 0; i < count; i++)
                        note(feed, &events[i]);
                count = count == EVENTS_AT_ONCE ? epoll_wait(feed->epoll_fd, events, EVENTS_AT_ONCE, 0) : 0;
        }
}

static void write_all(struct feed *feed)
{
        if (feed->readers == NULL)
                return;
        frames_take(feed->frames);
        const int64_t now = now_ns();
        for (struct reader *reader = feed->readers; reader != NULL; reader = reader->next)
                reader_turn(reader, feed->frames, now, feed->heartbeat_ns);
}

/* seccomp: clock_nanosleep nanosleep */
static void rest(int64_t duration_ns)
{
        const int64_t rest_ns = duration_ns > REST_NS ? duration_ns : REST_NS;
        nanosleep(&(struct timespec){ .tv_sec = rest_ns / NS_PER_S, .tv_nsec = rest_ns % NS_PER_S }, NULL);
}

static void *serve(void *context)
{
        struct feed *const feed = context;
        pthread_setname_np(pthread_self(), "feed");
        while (take_coming(feed)) {
                const int64_t begun = now_ns();
                write_all(feed);
                end_gone(feed);
                if (feed->readers != NULL)
                        rest(now_ns() - begun);
                await(feed);
        }
        return NULL;
}

static void feed_free(struct feed *feed)
{
        if (feed->bell.fd >= 0)
                event_bell_close(&feed->bell);
        cleanup_fd(&feed->epoll_fd);
        frames_free(feed->frames);
        pthread_mutex_destroy(&feed->lock);
        free(feed);
}

static bool start_thread(struct feed *feed)
{
        errno = thread_start(&feed->thread, serve, feed);
        return errno == 0;
}

/* seccomp: epoll_create1 */
static bool open_feed(struct feed *feed, const struct registry *registry)
{
        struct epoll_event event = { .events = EPOLLIN };
        feed->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        feed->frames = frames_new(registry);
        return feed->epoll_fd >= 0 && feed->frames != NULL && event_bell_open(&feed->bell) &&
               epoll_ctl(feed->epoll_fd, EPOLL_CTL_ADD, feed->bell.fd, &event) == 0 && start_thread(feed);
}

struct feed *feed_start(const struct registry *registry, int64_t heartbeat_ns)
{
        struct feed *const feed = calloc(1, sizeof *feed);
        if (feed == NULL) {
                log_write(LOG_LEVEL_ERROR, "no memory for events");
                return NULL;
        }
        feed->heartbeat_ns = heartbeat_ns;
        feed->bell.fd = -1;
        pthread_mutex_init(&feed->lock, NULL);
        if (open_feed(feed, registry))
                return feed;
        log_write(LOG_LEVEL_ERROR, "no thread for events: %s", strerror(errno));
        feed_free(feed);
        return NULL;
}

bool feed_add(struct feed *feed, struct reader *reader)
{
        pthread_mutex_lock(&feed->lock);
        const bool shut_down = feed->shut_down;
        if (!shut_down) {
                reader->next = feed->coming;
                feed->coming = reader;
        }
        pthread_mutex_unlock(&feed->lock);
        event_bell_ring(&feed->bell);
        return !shut_down;
}

void feed_shut_down(struct feed *feed)
{
        pthread_mutex_lock(&feed->lock);
        feed->shut_down = true;
        pthread_mutex_unlock(&feed->lock);
        event_bell_ring(&feed->bell);
}

void feed_stop(struct feed *feed)
{
        if (feed == NULL)
                return;
        pthread_mutex_lock(&feed->lock);
        feed->stopping = true;
        pthread_mutex_unlock(&feed->lock);
        event_bell_ring(&feed->bell);
        pthread_join(feed->thread, NULL);
        feed_free(feed);
}
