/* transcript_pcapng.c: a transcript as a capture: what went over the wire, in packets as they may have been.
 *
 * The kernel does not say which packets there were. So each payload is cut into segments of the usual size;
 * sequence numbers are positions in the stream, from 0 on; and what calls tell of the connection becomes SYN,
 * FIN and RST. */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/packet.h"
#include "api/pcapng.h"
#include "api/transcript_format.h"
#include "api/wire.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

/* What fits into an Ethernet frame behind both headers. */
enum { SEGMENT_IPV4 = 1460, SEGMENT_IPV6 = 1440, COMMENT_SIZE = 128 };

static const int64_t NS_PER_S = 1000000000;

/* One direction of a stream. */
struct lane_state {
        uint32_t next;
        bool finished;
};

struct capture {
        struct print *print;
        int family, protocol; /* of the packets: IPPROTO_TCP, IPPROTO_UDP, or 0: payload alone */
        struct lane_state sent, received;
        uint8_t *buffer; /* of PACKET_MOST */

        /* Of the call that is being printed. */
        const struct recording *recording;
        struct timespec time;
        char comment[COMMENT_SIZE];
};

/* The first packet of a call bears its comment. */
static void add(struct capture *capture, bool outbound, const uint8_t *bytes, size_t size)
{
        pcapng_add(capture->print, &(struct pcapng_packet){ .time = capture->time,
                                           .outbound = outbound,
                                           .comment = capture->comment[0] == '\0' ? NULL : capture->comment,
                                           .bytes = bytes,
                                           .size = size });
        capture->comment[0] = '\0';
}

/* Whose address is not known is "any". */
static struct address end_of(const struct capture *capture, const struct address *known)
{
        if (known->given && known->storage.ss_family == capture->family)
                return *known;
        return (struct address){ .storage.ss_family = (sa_family_t)capture->family };
}

static void add_packet(struct capture *capture, bool outbound, const struct address *peer, uint8_t flags,
        const uint8_t *bytes, size_t size)
{
        const struct address local = end_of(capture, &capture->recording->local);
        const struct address remote = end_of(capture, peer->given ? peer : &capture->recording->peer);
        const struct lane_state *const own = outbound ? &capture->sent : &capture->received;
        const struct lane_state *const other = outbound ? &capture->received : &capture->sent;
        const struct packet packet = { .from = outbound ? &local : &remote,
                .to = outbound ? &remote : &local,
                .protocol = capture->protocol,
                .sequence = own->next,
                .acknowledged = (flags & TCP_ACK) != 0 ? other->next : 0,
                .flags = flags,
                .payload = bytes,
                .size = size };
        add(capture, outbound, capture->buffer, packet_write(&packet, capture->buffer));
}

static void add_segments(struct capture *capture, const struct wire_piece *piece)
{
        struct lane_state *const lane = piece->sent ? &capture->sent : &capture->received;
        const size_t most = capture->family == AF_INET6 ? SEGMENT_IPV6 : SEGMENT_IPV4;
        if (piece->position >= 0)
                lane->next = 1 + (uint32_t)piece->position;
        for (size_t at = 0, size; at < piece->size; at += size) {
                size = piece->size - at < most ? piece->size - at : most;
                add_packet(capture, piece->sent, &piece->peer, TCP_PSH | TCP_ACK, piece->bytes + at, size);
                lane->next += (uint32_t)size;
        }
}

static void take_piece(void *context, const struct wire_piece *piece)
{
        struct capture *const capture = context;
        if (capture->protocol == IPPROTO_TCP)
                add_segments(capture, piece);
        else if (capture->protocol == IPPROTO_UDP && piece->size <= PACKET_PAYLOAD_MOST)
                add_packet(capture, piece->sent, &piece->peer, 0, piece->bytes, piece->size);
        else if (capture->protocol == 0)
                add(capture, piece->sent, piece->bytes, piece->size);
}

/* What only flags say. */
static void add_flags(struct capture *capture, bool outbound, uint8_t flags)
{
        struct lane_state *const lane = outbound ? &capture->sent : &capture->received;
        static const struct address nobody = { .given = false };
        add_packet(capture, outbound, &nobody, flags, NULL, 0);
        lane->next += (flags & (TCP_SYN | TCP_FIN)) != 0;
}

/* Each connection begins at 0: a listener's transcript has many. */
static void add_opening(struct capture *capture, bool outbound)
{
        capture->sent = capture->received = (struct lane_state){ .next = 0 };
        add_flags(capture, outbound, TCP_SYN);
}

static void add_handshake(struct capture *capture, bool outbound)
{
        add_opening(capture, outbound);
        add_flags(capture, !outbound, TCP_SYN | TCP_ACK);
        add_flags(capture, outbound, TCP_ACK);
}

static void add_end(struct capture *capture, bool outbound, uint8_t flags)
{
        struct lane_state *const lane = outbound ? &capture->sent : &capture->received;
        if (!lane->finished)
                add_flags(capture, outbound, flags | TCP_ACK);
        lane->finished = true;
}

static void add_event(struct capture *capture, enum wire_event event)
{
        switch (event) {
        case WIRE_CONNECTED:
                add_handshake(capture, true);
                break;
        case WIRE_ACCEPTED:
                add_handshake(capture, false);
                break;
        case WIRE_CONNECT_REFUSED:
                add_opening(capture, true);
                add_flags(capture, false, TCP_RST | TCP_ACK);
                break;
        case WIRE_CONNECT_UNANSWERED:
                add_opening(capture, true);
                break;
        case WIRE_FINISHED:
                add_end(capture, true, TCP_FIN);
                break;
        case WIRE_PEER_FINISHED:
                add_end(capture, false, TCP_FIN);
                break;
        case WIRE_PEER_RESET:
                add_end(capture, false, TCP_RST);
                break;
        case WIRE_NOTHING:
                break;
        }
}

/* All that a call did is shown as of its end, when the kernel had given or taken it. */
static struct timespec end_time(const struct recording *recording)
{
        const int64_t end_ns =
                recording->started.tv_sec * NS_PER_S + recording->started.tv_nsec + recording->duration_ns;
        return (struct timespec){ .tv_sec = end_ns / NS_PER_S, .tv_nsec = end_ns % NS_PER_S };
}

static void take_entry(void *context, const struct transcript_entry *entry)
{
        struct capture *const capture = context;
        const struct recording *const recording = (const struct recording *)entry;
        capture->recording = recording;
        capture->time = end_time(recording);
        snprintf(capture->comment, sizeof capture->comment, "%s %d%s%s, call %llu",
                recording->operation->name, recording->status, recording->errno_name == NULL ? "" : " ",
                recording->errno_name == NULL ? "" : recording->errno_name,
                (unsigned long long)entry->sequence);
        wire_read(recording, take_piece, capture);
        if (capture->protocol == IPPROTO_TCP)
                add_event(capture, wire_event(recording));
}

/* Which protocol to show a socket's payload in. */
static int protocol_of(const struct socket *socket)
{
        static const struct {
                int type, protocol, shown;
        } rows[] = {
                { SOCK_STREAM, IPPROTO_TCP, IPPROTO_TCP },
                { SOCK_STREAM, IPPROTO_MPTCP, IPPROTO_TCP },
                { SOCK_DGRAM, IPPROTO_UDP, IPPROTO_UDP },
        };
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
                if ((socket->family == AF_INET || socket->family == AF_INET6) &&
                        rows[i].type == socket->type && rows[i].protocol == socket->protocol)
                        return rows[i].shown;
        return 0;
}

void transcript_print_pcapng(
        struct print *print, const struct registry *registry, const struct socket *socket)
{
        char id[SOCKET_ID_SIZE];
        struct capture capture = { .print = print,
                .family = socket->family,
                .protocol = protocol_of(socket),
                .buffer = malloc(PACKET_MOST) };
        const enum link_type link = socket->family == AF_INET6 ? LINK_IPV6 : LINK_IPV4;
        pcapng_begin(print, capture.protocol == 0 ? LINK_USER : link,
                registry_format_id(registry, socket->number, id));
        if (capture.buffer == NULL)
                print->failed = true;
        else
                transcript_read(socket->transcript, take_entry, &capture);
        free(capture.buffer);
}
