/* approach.h: how clients come to a daemon that speaks TLS, with certificates made for the test. */
#pragma once

#include <curl/curl.h>

#include "tests/http/papers.h"
#include "tests/http/suite.h"

/* A directory of papers: of the authority "own" the server's, and those of "ci", "eye", "stranger", "expired"
 * and "spare"; of the authority "other" that of "foreign"; "shared.key", which others may read; and "tokens",
 * which lets ci operate and eye watch. What clients of client.h show is ci's. */
void papers_make(void);
void papers_remove(void);
extern struct authority *own_authority, *other_authority;
extern const struct paper server_paper;

/* The path of a file there; it lives on. */
const char *paper_path(const char *file);

/* The authority that a client trusts, the paper it shows (NULL: none), and the only version it speaks (0:
 * any). */
struct approach {
        const char *authority, *paper;
        long version;
};

/* To be cleaned up. */
CURL *approach_open(const struct approach *approach, const char *url);

/* GET or POST /v1/sockets. The status; 0 when there was none, and `trouble` says why. */
int approach_ask(const struct stage *stage, const struct approach *approach, const char *method,
        const char *authorization, char trouble[static CURL_ERROR_SIZE]);

/* A write callback for curl. */
size_t approach_ignore(const char *bytes, size_t one, size_t count, void *context);

/* A connection that the test holds in its hands: handshake done, nothing said. */
CURL *approach_hold(const struct stage *stage, curl_socket_t *fd);

/* Asks on it for a recv that waits for long. */
void approach_say(const struct stage *stage, CURL *curl, const char *id);

/* Reads from it until `text` has come. */
void approach_hear(CURL *curl, const char *text);
