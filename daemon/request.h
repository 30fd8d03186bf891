/* request.h: one HTTP request, as the callbacks that libmicrohttpd makes for it. */
#pragma once

#include <microhttpd.h>

#include "daemon/server.h"

/* How long a connection may be silent between and within requests; parked calls and streams may be longer. It
 * is also when the end of a client that left in the middle of a request is seen, where libmicrohttpd has read
 * past it. */
enum { IDLE_TIMEOUT_S = 15 };

/* A header must be there within 5 s; the first byte of a later one on a connection cannot be seen, so that
 * time is added to what a connection may be silent. A body that is not streamed must go on: 1 KiB, or its
 * end, within 10 s. */
enum { HEADER_TIMEOUT_S = 5, BODY_TIMEOUT_S = 10, BODY_PROGRESS_SIZE = 1024 };

struct server {
        struct MHD_Daemon *plain, *encrypted; /* with threads of their own; encrypted: NULL without TLS */
        struct tls *tls;
        struct service *service;
        struct access *access;
        _Atomic unsigned requests;    /* begun, and not yet answered */
        _Atomic unsigned connections; /* handed over, and not yet closed */
        _Atomic unsigned queued;      /* handed over, and not yet begun by a worker */
        unsigned connection_limit;
        struct deadlines *deadlines;
        struct feed *feed;
        struct peers *peers;
        struct streams *streams;
        _Atomic int64_t complained_ns; /* when it last logged that an address has too many */
};

/* libmicrohttpd's socket context. */
struct connection {
        struct deadline *deadline;
        struct tls_papers *papers; /* NULL without TLS */
};

/* MHD_AccessHandlerCallback; the context is the server. */
enum MHD_Result request_on_data(void *context, struct MHD_Connection *connection, const char *path,
        const char *method, const char *version, const char *bytes, size_t *size, void **state);

/* MHD_RequestCompletedCallback. */
void request_on_completed(void *context, struct MHD_Connection *connection, void **state,
        enum MHD_RequestTerminationCode termination);

/* The callback of MHD_OPTION_URI_LOG_CALLBACK, which sees the target before it is unescaped; what it returns
 * is the request's first state. */
void *request_on_target(void *context, const char *target, struct MHD_Connection *connection);
