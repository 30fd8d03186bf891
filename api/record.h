/* record.h: the request and reply structs of every operation; a row's name picks them, their fields are in
 * the op_*.c beside the functions. */
#pragma once

#include "api/field.h"

/* Requests: struct NAME_request, described by NAME_request_fields. */

struct socket_create_request {
        int family, type, protocol;
        struct settings options;
        struct address bind;
        struct listen_request listen;
        struct address connect;
        struct text label, session;
        struct value netns;
        uint64_t retain;
        bool record;
        uint64_t record_bytes; /* UINT64_MAX: not given, as in the two below */
};
struct socket_list_request {
        struct text state;
        int family, type; /* -1: any */
        struct text label, session;
        int limit;
        struct text cursor;
};
struct socketpair_create_request {
        int family, type, protocol;
        struct text label, session;
        uint64_t retain;
        bool record;
        uint64_t record_bytes;
};
struct socket_delete_request {
        bool reset;
};
struct socket_bind_request {
        struct address address;
};
struct socket_listen_request {
        int backlog;
};
struct socket_accept_request {
        struct text label;
        uint64_t retain; /* UINT64_MAX: not given */
        bool record;
        uint64_t record_bytes;
};
struct socket_connect_request {
        struct address address;
};
struct socket_shutdown_request {
        int how;
};
struct socket_send_request {
        struct payload data;
        int flags;
        bool all;
        uint64_t offset; /* UINT64_MAX: not given, as in the two below */
};
struct socket_upload_request {
        struct payload data;
        int flags;
        uint64_t offset;
};
struct socket_recv_request {
        uint64_t size;
        int flags;
        struct until until;
        struct framing frame;
        uint64_t offset, ack; /* UINT64_MAX: not given, as in the two below */
};
struct socket_sendto_request {
        struct payload data;
        struct address address;
        int flags;
        uint64_t offset;
};
struct socket_recvfrom_request {
        uint64_t size;
        int flags;
        uint64_t offset, ack;
};
struct socket_sendmsg_request {
        struct value buffers;
        struct address address;
        struct value ancillary;
        struct value messages;
        int flags;
};
struct socket_recvmsg_request {
        uint64_t size;
        struct value sizes;
        int flags;
        int count, ancillary_size;
        uint64_t offset, ack;
};
struct socket_setsockopt_request {
        int level;
        struct value option;
        struct value value;
        struct binary raw;
};
struct socket_getsockopt_request {
        int level;
        struct value option;
        int size;
};
struct batch_request {
        struct steps steps;
        bool rollback;
        struct moment at;
};
struct socket_wait_request {
        int events; /* -1: not given, as the other numbers */
        int64_t receive_queue, send_queue;
        int tcp_state;
        bool connection;
        int level;
        struct value option, value;
};
struct poll_request {
        struct value sockets;
};
struct inet_aton_request {
        struct text address;
};
struct inet_ntoa_request {
        struct binary packed;
};
struct inet_pton_request {
        int family;
        struct text address;
};
struct inet_ntop_request {
        int family;
        struct binary packed;
};
struct getaddrinfo_request {
        struct text host, service;
        int family, type, protocol, flags;
};
struct getnameinfo_request {
        struct address address;
        int flags;
};
struct socket_show_request {
        char unused;
};
struct socket_transcript_request {
        struct text format;
};
struct socket_options_request {
        char unused;
};
struct reactor_start_request {
        struct text kind, to;
        struct binary pattern;
        struct text pattern_text;
        uint64_t total;
        int64_t rate;
        int size;
        bool hash;
        struct value replies;
        int connections;
};
struct reactor_show_request {
        char unused;
};
struct reactor_stop_request {
        char unused;
};
struct socket_stream_request {
        bool half_open;
};
struct event_list_request {
        uint64_t after; /* UINT64_MAX: not given */
        int kind;
        struct text socket, session, label;
};
struct if_nameindex_request {
        char unused;
};
struct netns_list_request {
        char unused;
};
struct constant_list_request {
        char unused;
};
struct policy_explain_request {
        struct text operation;
        struct address address;
        int family, type, protocol;
        struct text option, device, netns;
        struct text token, policy;
};
struct session_create_request {
        int64_t ttl_ms;
        struct text label;
};
struct session_list_request {
        char unused;
};
struct session_show_request {
        char unused;
};
struct session_renew_request {
        int64_t ttl_ms; /* 0: as before */
};
struct session_delete_request {
        char unused;
};
struct service_health_request {
        char unused;
};
struct service_readiness_request {
        char unused;
};
struct service_version_request {
        char unused;
};
struct metrics_request {
        char unused;
};
struct openapi_yaml_request {
        char unused;
};
struct openapi_json_request {
        char unused;
};

/* Replies: struct NAME, described by NAME_fields. */

struct socket_object {
        struct text id;
        int family, type;
        struct value protocol;
        struct text state;
        int tcp_state;
        struct address local, peer;
        struct text parent, label, owner, session, netns;
        struct moment created;
        uint64_t receive_queue, send_queue, received_bytes, sent_bytes;
        int parked;
        bool at_mark, unclaimed;
        uint64_t retain, record_bytes;
        struct value base, received_messages, sent_messages;
};
struct socket_page {
        struct value sockets;
        struct text next;
};
struct socket_pair {
        struct value sockets;
};
struct session_object {
        struct text id, label, owner;
        int64_t ttl_ms;
        struct moment expires;
        uint64_t sockets;
};
struct session_page {
        struct value sessions;
};
struct nothing {
        char unused;
};
struct sent {
        uint64_t sent, offset, next;
        bool duplicate;
};
struct received {
        struct payload data;
        uint64_t size, offset, next;
        bool eof, complete, truncated;
        struct value messages, incomplete;
};
struct received_from {
        struct payload data;
        uint64_t size, offset, next;
        struct address address;
        bool truncated;
};
struct sent_messages {
        uint64_t sent;
        int messages;
        struct value error;
};
struct received_message {
        struct binary data;
        struct value buffers, size, length;
        struct address address;
        struct value offset, next, flags;
        bool eof;
        struct value ancillary, messages, error;
};
struct option_set {
        struct value value;
        struct binary raw;
};
struct option_value {
        struct value value;
        struct binary raw;
};
struct option_page {
        struct value options;
};
struct batch_result {
        struct value results, failed;
        bool timed_out;
        struct moment started;
        int64_t late_us;
        struct value clock;
};
struct reactor_object {
        struct text kind, state, error;
        uint64_t received_bytes, sent_bytes, reads, writes, total, accepted, denied, dropped, matches;
        int connections;
        struct text sha256;
        struct value mismatch;
};
struct waited {
        struct value value, socket;
};
struct polled {
        struct value ready;
        int count;
};
struct event_object {
        uint64_t sequence;
        struct moment time;
        int kind;
        struct text socket, session, label, parent;
        struct address peer;
        uint64_t bytes;
        int error;
        struct text call;
};
struct event_list {
        struct value events;
        uint64_t next;
        bool gap;
};
struct inet_packed {
        struct binary packed;
};
struct inet_text {
        struct text address;
};
struct resolved_names {
        struct value addresses;
};
struct resolved_address {
        struct text host, service;
};
struct interface_page {
        struct value interfaces;
};
struct netns_page {
        struct value netns;
};
struct constant_page {
        struct value constants;
};
struct policy_explanation {
        bool allowed, reported;
        struct text rule, mode, operation, judged;
};
struct health {
        struct text status;
};
struct version {
        struct text version, kernel, host;
};
struct transcript_page {
        struct text text;
};
struct metric_page {
        struct text text;
};
struct yaml_document {
        struct text document;
};
struct json_document {
        struct text document;
};

#define OPERATION(method, path, name, system_call, turn, role, success, reply, summary)                      \
        extern const struct fields name##_request_fields, reply##_fields;
#include "api/operations.def"
#undef OPERATION

/* The functions: run_NAME. They decode nothing and know no status; see call.h for what they may return. */
#define OPERATION(method, path, name, system_call, turn, role, success, reply, summary)                      \
        struct result run_##name(                                                                            \
                struct call *call, const struct name##_request *request, struct reply *reply_out);
struct call;
#include "api/operations.def"
#undef OPERATION
