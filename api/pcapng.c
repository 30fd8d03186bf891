/* pcapng.c: a capture file as Wireshark reads it: blocks, each with its length before and behind it. */
#include "api/pcapng.h"

#include <string.h>

enum { BLOCK_SECTION = 0x0A0D0D0A, BLOCK_INTERFACE = 1, BLOCK_PACKET = 6 };
enum { OPTION_END = 0, OPTION_COMMENT = 1, OPTION_NAME = 2, OPTION_FLAGS = 2, OPTION_RESOLUTION = 9 };
enum { FLAG_INBOUND = 1, FLAG_OUTBOUND = 2 };

static const uint32_t BYTE_ORDER_MAGIC = 0x1A2B3C4D;
static const uint8_t NANOSECONDS = 9; /* 10 to minus the power of that */

static void put(struct print *print, const void *bytes, size_t size)
{
        if (size > 0)
                print_text(print, bytes, size);
}

static void put_16(struct print *print, unsigned number)
{
        const uint16_t out = (uint16_t)number;
        put(print, &out, sizeof out);
}

static void put_32(struct print *print, uint32_t number)
{
        put(print, &number, sizeof number);
}

/* Up to the next four bytes. */
static void put_padded(struct print *print, const void *bytes, size_t size)
{
        static const uint8_t zero[4];
        put(print, bytes, size);
        put(print, zero, (4 - size % 4) % 4);
}

static void put_option(struct print *print, unsigned code, const void *value, size_t size)
{
        put_16(print, code);
        put_16(print, (unsigned)size);
        put_padded(print, value, size);
}

/* Returns where its length stands. */
static size_t begin_block(struct print *print, uint32_t type)
{
        put_32(print, type);
        put_32(print, 0);
        return print->size - sizeof(uint32_t);
}

static void end_block(struct print *print, size_t place)
{
        const uint32_t length = (uint32_t)(print->size - place + 2 * sizeof(uint32_t));
        put_32(print, length);
        if (!print->failed)
                memcpy(print->bytes + place, &length, sizeof length);
}

void pcapng_begin(struct print *print, enum link_type type, const char *name)
{
        size_t place = begin_block(print, BLOCK_SECTION);
        put_32(print, BYTE_ORDER_MAGIC);
        put_16(print, 1);
        put_16(print, 0);
        put_32(print, UINT32_MAX); /* how long the section is: not said */
        put_32(print, UINT32_MAX);
        end_block(print, place);
        place = begin_block(print, BLOCK_INTERFACE);
        put_16(print, (unsigned)type);
        put_16(print, 0);
        put_32(print, PCAPNG_PACKET_MOST);
        put_option(print, OPTION_NAME, name, strlen(name));
        put_option(print, OPTION_RESOLUTION, &NANOSECONDS, sizeof NANOSECONDS);
        put_option(print, OPTION_END, NULL, 0);
        end_block(print, place);
}

void pcapng_add(struct print *print, const struct pcapng_packet *packet)
{
        const uint64_t time = (uint64_t)packet->time.tv_sec * 1000000000 + (uint64_t)packet->time.tv_nsec;
        const size_t kept = packet->size < PCAPNG_PACKET_MOST ? packet->size : PCAPNG_PACKET_MOST;
        const uint32_t flags = packet->outbound ? FLAG_OUTBOUND : FLAG_INBOUND;
        const size_t place = begin_block(print, BLOCK_PACKET);
        put_32(print, 0); /* the interface */
        put_32(print, (uint32_t)(time >> 32));
        put_32(print, (uint32_t)time);
        put_32(print, (uint32_t)kept);
        put_32(print, (uint32_t)packet->size);
        put_padded(print, packet->bytes, kept);
        if (packet->comment != NULL)
                put_option(print, OPTION_COMMENT, packet->comment, strlen(packet->comment));
        put_option(print, OPTION_FLAGS, &flags, sizeof flags);
        put_option(print, OPTION_END, NULL, 0);
        end_block(print, place);
}
