/* packet.h: IP packets with TCP or UDP in them, as the wire would have had them. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "daemon/sockets/address.h"

enum { TCP_FIN = 1, TCP_SYN = 2, TCP_RST = 4, TCP_PSH = 8, TCP_ACK = 16 };

/* From and to are both of AF_INET, or both of AF_INET6. */
struct packet {
        const struct address *from, *to;
        int protocol;                    /* IPPROTO_TCP or IPPROTO_UDP */
        uint32_t sequence, acknowledged; /* of TCP, as the three below */
        uint8_t flags;
        const uint8_t *payload;
        size_t size; /* at most PACKET_PAYLOAD_MOST */
};

enum { PACKET_MOST = 65535, PACKET_PAYLOAD_MOST = PACKET_MOST - 40 - 20 };

/* Writes it, with its checksums; `out` has room for PACKET_MOST. Returns how long it is. */
size_t packet_write(const struct packet *packet, uint8_t *out);
