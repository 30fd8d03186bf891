/* pcapng.h: a capture file as Wireshark reads it (draft-ietf-opsawg-pcapng), in the host's byte order, as it
 * says itself. */
#pragma once

#include <time.h>

#include "api/print.h"

/* What a packet begins with; https://www.tcpdump.org/linktypes.html. */
enum link_type { LINK_USER = 147, LINK_IPV4 = 228, LINK_IPV6 = 229 };

/* The header, and the one interface that all packets are of. */
void pcapng_begin(struct print *print, enum link_type type, const char *name);

struct pcapng_packet {
        struct timespec time;
        bool outbound;
        const char *comment; /* NULL: none */
        const uint8_t *bytes;
        size_t size;
};

/* A packet that is longer than readers take is cut, and says how long it was. */
enum { PCAPNG_PACKET_MOST = 262144 };
void pcapng_add(struct print *print, const struct pcapng_packet *packet);
