/* exchange.h: a request under way, for the files that serve it: request.c, admission.c and reply.c. */
#pragma once

#include <gnutls/gnutls.h>

#include "api/keyed.h"
#include "api/route.h"
#include "daemon/deadline.h"
#include "daemon/header.h"
#include "daemon/page.h"
#include "daemon/request.h"
#include "daemon/sockets/background.h"

static const int64_t REQUEST_NS_PER_S = 1000000000;

enum stage {
        STAGE_JSON,    /* collect the body, as JSON */
        STAGE_RAW,     /* collect the body, as payload */
        STAGE_STREAM,  /* send the body on as it comes */
        STAGE_DISCARD, /* it has failed: read on to the body's end */
        STAGE_RUN,     /* the body has ended: run the call, again after each wait */
        STAGE_REPLIED,
};

struct request {
        struct server *server;
        struct MHD_Connection *connection;
        struct route route;
        const struct page_file *file; /* what is asked for is a file of the page, or NULL */
        struct headers headers;
        struct call call;
        struct background_job job; /* to go on when the connection is gone */
        struct follower *follower; /* of the stream of events that the connection is, or was; or NULL */
        struct problem *problem;   /* what is wrong before there is a call, from malloc() */
        enum stage stage;
        bool anonymous;            /* nobody knows who asks */
        bool early;                /* the reply goes out before the body has come */
        bool preflight;            /* a browser asks what a page may do */
        bool for_page;             /* a page of another origin may read the reply */
        struct deadline *deadline; /* the connection's */
        struct MHD_UpgradeResponseHandle *upgraded;
        struct stream *stream; /* that the call is to become; NULL: none, or it has begun */
        size_t progress;       /* of the body, since the deadline was moved */
        char *body;
        size_t size, capacity;
        int64_t started_ns, discard_until_ns;
        int64_t retry_after_s;     /* 0: not said */
        int status;                /* of the reply, for the log */
        const char *method, *path; /* the library's; path without escapes and query */
};

/* Makes the request one that has failed; its reply comes when it can be queued. */
void request_fail(struct request *request, enum problem_kind kind, const char *parameter, const char *detail);

bool request_is_local(const struct request *request);
int request_client_fd(const struct request *request);

/* NULL: the connection is not encrypted. */
gnutls_session_t connection_tls_session(struct MHD_Connection *connection);

/* Whether the request may be looked at: it is one beyond doubt, meant for this daemon, and from somebody who
 * may. */
bool request_admit(struct request *request, bool sound_target);

/* Whether the operation is for this caller. */
bool request_permit(struct request *request);

/* Takes the call's key, if there is one and the operation changes anything. False: it is none; the request
 * has failed. */
bool request_take_key(struct request *request);

/* Marks a call with a key by all that was asked, once the body is there as it came. False without memory. */
bool request_take_fingerprint(struct request *request);

/* Fails a request whose key would be for what is streamed: true. */
bool request_streams_with_key(struct request *request);

/* Queues the reply of a request that is done, or of one that has failed. */
enum MHD_Result request_reply(struct request *request);

/* Queues a reply, which it takes over; NULL: there is none for lack of memory. */
enum MHD_Result request_queue(struct request *request, int status, struct MHD_Response *response);

/* Begins a reply whose body is received as it goes out. */
enum MHD_Result request_reply_stream(struct request *request);

/* Makes the connection a WebSocket, or says why not. */
enum MHD_Result request_upgrade(struct request *request);
/* Whether it asks for the stream of events; makes its connection that, or says why not. */
bool request_follows(const struct request *request);
enum MHD_Result request_follow(struct request *request);

/* Once its request has ended. Accepts NULL. */
struct follower;
void follower_free(struct follower *follower);

/* A live source may pause for longer than a connection may be silent otherwise; 0: for ever. */
void request_set_idle_timeout(struct request *request, unsigned timeout_s);
