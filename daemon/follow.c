/* follow.c: a request for the stream of events: its head, and its connection's way to the feed and back.
 *
 * libmicrohttpd would copy every event for every client and take turns of its workers for it. So the feed
 * writes to the connection itself, which stays suspended until the stream ends, and is closed then. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/measure.h"
#include "daemon/browser.h"
#include "daemon/exchange.h"
#include "daemon/feed.h"
#include "daemon/sockets/cleanup.h"
#include "daemon/sockets/observer.h"

/* What a client that does not read holds of the kernel's memory. */
enum { SEND_BUFFER = 128 << 10, RETRY_MS = 1000 };

struct follower {
        struct reader reader; /* first, so that a reader is its follower */
        struct request *request;
};

void follower_free(struct follower *follower)
{
        if (follower == NULL)
                return;
        reader_clear(&follower->reader);
        free(follower);
}

/* On the feed's thread; from here on the request may end on its own. */
static void end(struct reader *reader)
{
        struct request *const request = ((struct follower *)reader)->request;
        account_give_back(request->call.caller.account, RESOURCE_PARKED, 1);
        observer_unwant(request->server->service->observer, reader->filter.kinds);
        MHD_resume_connection(request->connection);
}

static enum MHD_Result say_header(void *context, enum MHD_ValueKind kind, const char *name, const char *value)
{
        struct reader *const reader = context;
        (void)kind;
        reader_say(reader, name, strlen(name));
        reader_say(reader, ": ", 2);
        reader_say(reader, value, strlen(value));
        reader_say(reader, "\r\n", 2);
        return MHD_YES;
}

/* The stream ends with its connection. */
static void say_head(struct reader *reader, const struct request *request)
{
        char date[64];
        struct tm utc;
        const time_t now = time(NULL);
        static const char first[] = "HTTP/1.1 200 OK\r\n";
        struct MHD_Response *const headers = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
        reader->gone = headers == NULL;
        if (headers == NULL)
                return;
        strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now, &utc));
        MHD_add_response_header(headers, "Date", date);
        MHD_add_response_header(headers, "Content-Type", "text/event-stream");
        MHD_add_response_header(headers, "Cache-Control", "no-store");
        MHD_add_response_header(headers, "Connection", "close");
        browser_add_headers(headers, request->for_page ? request->headers.values[HEADER_ORIGIN] : NULL);
        reader_say(reader, first, sizeof first - 1);
        MHD_get_response_headers(headers, say_header, reader);
        MHD_destroy_response(headers);
        reader_say(reader, "\r\n", 2);
}

/* A client that comes again goes on from here even if nothing happens until then. */
static void say_beginning(struct reader *reader, uint64_t lost)
{
        char text[64];
        const int size = snprintf(
                text, sizeof text, "retry: %d\nid: %llu\n\n", RETRY_MS, (unsigned long long)reader->position);
        reader_say(reader, text, (size_t)size);
        if (lost > 0)
                reader_say_gap(reader, lost);
}

/* It may be silent for long, its client may read late, and events are not to wait for each other.
 * seccomp: setsockopt */
static void set_options(struct request *request, int fd)
{
        const int size = SEND_BUFFER, on = 1;
        request_set_idle_timeout(request, 0);
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
        if (!request_is_local(request))
                setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

/* Counts as a parked call while it lasts. */
static struct result begin(struct request *request, const struct event_filter *filter)
{
        struct call *const call = &request->call;
        struct follower *const follower = calloc(1, sizeof *follower);
        if (follower == NULL)
                return lack_memory();
        request->follower = follower;
        follower->request = request;
        if (!account_take(call->caller.account, RESOURCE_PARKED, 1))
                return account_over(RESOURCE_PARKED);
        if (observer_want(call->service->observer, filter->kinds))
                return DONE;
        account_give_back(call->caller.account, RESOURCE_PARKED, 1);
        return lack_memory();
}

/* There is no stream to come: as if it had asked for what there is. */
static enum MHD_Result reply_to_head(struct request *request)
{
        request->call.common.timeout_ms = 0;
        return call_run(&request->call) == CALL_PARKED ? MHD_YES : request_reply(request);
}

bool request_follows(const struct request *request)
{
        return call_follows(&request->call, request->headers.values[HEADER_ACCEPT]);
}

enum MHD_Result request_follow(struct request *request)
{
        struct call *const call = &request->call;
        struct event_filter filter;
        uint64_t after, lost;
        if (request->follower != NULL) /* it has ended */
                return MHD_NO;
        if (strcmp(request->method, MHD_HTTP_METHOD_HEAD) == 0)
                return reply_to_head(request);
        call->result =
                call_follow(call, request->headers.values[HEADER_LAST_EVENT_ID], &filter, &after, &lost);
        if (call->result.kind == RESULT_DONE)
                call->result = begin(request, &filter);
        if (call->result.kind != RESULT_DONE) {
                follower_free(TAKE(request->follower));
                return request_reply(request);
        }
        struct reader *const reader = &request->follower->reader;
        *reader = (struct reader){ .fd = request_client_fd(request),
                .is_local = request_is_local(request),
                .session = connection_tls_session(request->connection),
                .filter = filter,
                .position = after,
                .end = end };
        set_options(request, reader->fd);
        say_head(reader, request);
        say_beginning(reader, lost);
        reader_begin(reader, now_ns());
        request->status = 200;
        measure_request(request->route.operation, 200);
        MHD_suspend_connection(request->connection);
        if (!feed_add(request->server->feed, reader))
                end(reader);
        return MHD_YES;
}
