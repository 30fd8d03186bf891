/* packet.c: IP packets with TCP or UDP in them. */
#include "api/packet.h"

#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <string.h>

enum { HOP_LIMIT = 64, WINDOW = 65535 };

/* RFC 1071, before the last step; the bytes go on behind an even number of others. */
static uint32_t add_up(uint32_t sum, const void *bytes, size_t size)
{
        const uint8_t *const byte = bytes;
        for (size_t i = 0; i < size; i++)
                sum += i % 2 == 0 ? (uint32_t)byte[i] << 8 : byte[i];
        return sum;
}

static uint16_t checksum(uint32_t sum)
{
        while (sum >> 16 != 0)
                sum = (sum & 0xffff) + (sum >> 16);
        return htons((uint16_t)~sum);
}

static in_port_t port_of(const struct address *address)
{
        return address->storage.ss_family == AF_INET6
                       ? ((const struct sockaddr_in6 *)&address->storage)->sin6_port
                       : ((const struct sockaddr_in *)&address->storage)->sin_port;
}

/* What both transports' checksums begin with: the pseudo-header. */
static uint32_t sum_ends(const struct packet *packet, size_t size)
{
        uint32_t sum = (uint32_t)packet->protocol + (uint32_t)size;
        const struct address *const ends[] = { packet->from, packet->to };
        for (int i = 0; i < 2; i++) {
                const struct sockaddr_in6 *const in6 = (const void *)&ends[i]->storage;
                const struct sockaddr_in *const in = (const void *)&ends[i]->storage;
                sum = ends[i]->storage.ss_family == AF_INET6
                              ? add_up(sum, &in6->sin6_addr, sizeof in6->sin6_addr)
                              : add_up(sum, &in->sin_addr, sizeof in->sin_addr);
        }
        return sum;
}

static size_t write_tcp(const struct packet *packet, uint8_t *out)
{
        struct tcphdr header = { .th_sport = port_of(packet->from),
                .th_dport = port_of(packet->to),
                .th_seq = htonl(packet->sequence),
                .th_ack = htonl(packet->acknowledged),
                .th_off = sizeof header / 4,
                .th_flags = packet->flags,
                .th_win = htons(WINDOW) };
        const size_t size = sizeof header + packet->size;
        const uint32_t sum = add_up(sum_ends(packet, size), &header, sizeof header);
        header.th_sum = checksum(add_up(sum, packet->payload, packet->size));
        memcpy(out, &header, sizeof header);
        return sizeof header;
}

static size_t write_udp(const struct packet *packet, uint8_t *out)
{
        const size_t size = sizeof(struct udphdr) + packet->size;
        struct udphdr header = { .uh_sport = port_of(packet->from),
                .uh_dport = port_of(packet->to),
                .uh_ulen = htons((uint16_t)size) };
        const uint32_t sum = add_up(sum_ends(packet, size), &header, sizeof header);
        header.uh_sum = checksum(add_up(sum, packet->payload, packet->size));
        if (header.uh_sum == 0)
                header.uh_sum = 0xffff; /* 0 says that there is none */
        memcpy(out, &header, sizeof header);
        return sizeof header;
}

static size_t write_ipv4(const struct packet *packet, size_t size, uint8_t *out)
{
        const struct iphdr header = { .version = 4,
                .ihl = sizeof header / 4,
                .tot_len = htons((uint16_t)(sizeof header + size)),
                .frag_off = htons(IP_DF),
                .ttl = HOP_LIMIT,
                .protocol = (uint8_t)packet->protocol,
                .saddr = ((const struct sockaddr_in *)&packet->from->storage)->sin_addr.s_addr,
                .daddr = ((const struct sockaddr_in *)&packet->to->storage)->sin_addr.s_addr };
        memcpy(out, &header, sizeof header);
        const uint16_t sum = checksum(add_up(0, out, sizeof header));
        memcpy(out + offsetof(struct iphdr, check), &sum, sizeof sum);
        return sizeof header;
}

static size_t write_ipv6(const struct packet *packet, size_t size, uint8_t *out)
{
        const struct ip6_hdr header = { .ip6_flow = htonl(6U << 28),
                .ip6_plen = htons((uint16_t)size),
                .ip6_nxt = (uint8_t)packet->protocol,
                .ip6_hlim = HOP_LIMIT,
                .ip6_src = ((const struct sockaddr_in6 *)&packet->from->storage)->sin6_addr,
                .ip6_dst = ((const struct sockaddr_in6 *)&packet->to->storage)->sin6_addr };
        memcpy(out, &header, sizeof header);
        return sizeof header;
}

size_t packet_write(const struct packet *packet, uint8_t *out)
{
        const bool is_tcp = packet->protocol == IPPROTO_TCP;
        const size_t size = (is_tcp ? sizeof(struct tcphdr) : sizeof(struct udphdr)) + packet->size;
        const bool is_ipv6 = packet->from->storage.ss_family == AF_INET6;
        uint8_t *place = out;
        place += is_ipv6 ? write_ipv6(packet, size, place) : write_ipv4(packet, size, place);
        place += is_tcp ? write_tcp(packet, place) : write_udp(packet, place);
        if (packet->size > 0)
                memcpy(place, packet->payload, packet->size);
        return (size_t)(place - out) + packet->size;
}
