/* transcript_format.h: the forms that a transcript may have. */
#pragma once

#include "api/call.h"
#include "api/print.h"

struct socket;

/* Each prints all that is recorded of a socket, which records. */
void transcript_print_json(struct print *print, const struct registry *registry, const struct socket *socket);
void transcript_print_pcapng(
        struct print *print, const struct registry *registry, const struct socket *socket);
void transcript_print_curl(struct print *print, const struct registry *registry, const struct socket *socket);
