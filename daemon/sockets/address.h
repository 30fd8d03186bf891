/* address.h: socket addresses, as text and as sockaddr, of every family the kernel has. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "daemon/sockets/result.h"

enum { HOST_NAME_SIZE = 256, ADDRESS_TEXT_SIZE = 512 };

/* A socket address, or the name of a host that must still be resolved (then size is 0, name is not empty, and
 * storage.ss_family is the family asked for, AF_UNSPEC for either). */
struct address {
        struct sockaddr_storage storage;
        socklen_t size;
        bool given;                /* false: the request has no such member */
        bool any;                  /* no host was given: the wildcard, see address_fit() */
        uint16_t port;             /* goes with name */
        char name[HOST_NAME_SIZE]; /* "", or a host name to resolve */
};

/* Reads a short form: "127.0.0.1:80", "[::1]:80", "[fe80::1%eth0]:80", "example.test:80", ":80" (any
 * address), "unix:/run/x", "unix:@x" (abstract), "unix:" (autobind). RESULT_UNSOUND with a detail and no
 * parameter when it is none of these; *out is then untouched. */
struct result address_parse(const char *text, struct address *out);

/* Builds an IP address from a host and a port. A host that is no numeric address of `family` (AF_UNSPEC:
 * either) becomes out->name. "" is the wildcard address. */
struct result address_from_host(int family, const char *host, uint16_t port, struct address *out);

/* AF_UNIX: a path (at most 107 bytes), an abstract name (any bytes, at most 107), or autobind (size 0,
 * abstract). */
struct result address_from_unix(const char *bytes, size_t size, bool abstract, struct address *out);

/* ":80" names no family: gives it that of the socket it is used on. Other addresses stay as they are. */
void address_fit(struct address *address, int family);

/* "127.0.0.1:80", "[::1]:80", "unix:/run/x", … for logs and problem details, safe to print. Returns `out`;
 * ADDRESS_TEXT_SIZE holds all but the worst. */
const char *address_format(const struct address *address, char *out, size_t out_size);

/* Copies bytes from outside as printable UTF-8: control characters, backslashes and what is no UTF-8 come out
 * as \xHH. Cut off, between characters, where `out` ends. Returns `out`. */
const char *text_escape(const char *bytes, size_t size, char *out, size_t out_size);
