/* policy_item.c: what stands in the lists of a policy's rules. */
#include "api/policy_item.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/sockets/cleanup.h"
#include "daemon/sockets/netns.h"
#include "daemon/sockets/option.h"

enum { SHOWN_SIZE = 64, PATH_SHOWN = 200 }; /* of what is wrong, in a message */

/* The item as text without NUL, or NULL and a problem. */
const char *decode_name_text(struct decoder *decoder, const char *name, const json_t *value, const char *what)
{
        const char *const text = json_string_value(value);
        if (text != NULL && text[0] != '\0' && strlen(text) == json_string_length(value))
                return text;
        decoder_fail(decoder, name, "must be %s%s%s", what, text == NULL ? ", not " : "",
                text == NULL ? json_kind_word(value) : "");
        return NULL;
}

bool decode_deed(struct decoder *decoder, const char *name, const json_t *value, enum deed_kind *out)
{
        static const char what[] = "one of socket, bind, connect, accept, send, join, device, option, netns";
        const char *const text = decode_name_text(decoder, name, value, what);
        if (text == NULL)
                return false;
        for (enum deed_kind kind = 0; kind < DEED_COUNT; kind++)
                if (strcmp(text, deed_names[kind]) == 0) {
                        *out = kind;
                        return true;
                }
        return decoder_fail(decoder, name, "must be %s", what);
}

static bool read_family(struct reader *reader, json_t *item, void *out)
{
        static const struct field field = { .name = "", .names = &family_names, .max = UINT16_MAX };
        return decode_constant(&reader->decoder, &field, item, out);
}

static bool read_type(struct reader *reader, json_t *item, void *out)
{
        static const struct field field = { .name = "", .names = &type_names, .max = 15 };
        return decode_constant(&reader->decoder, &field, item, out);
}

/* Decimal digits alone, up to a limit. */
static bool read_digits(const char *text, size_t size, unsigned long most, unsigned *out)
{
        unsigned long number = 0;
        for (size_t i = 0; i < size; i++) {
                if (!isdigit((unsigned char)text[i]))
                        return false;
                number = number * 10 + (unsigned long)(text[i] - '0');
                if (number > most)
                        return false;
        }
        *out = (unsigned)number;
        return size > 0;
}

static bool has_bits_beyond(const struct network *network)
{
        for (size_t bit = network->bits; bit < network->ip_size * 8; bit++)
                if ((network->ip[bit / 8] >> (7 - bit % 8) & 1) != 0)
                        return true;
        return false;
}

/* Addresses are judged with IPv4 in IPv6 as IPv4, so networks are read so too. */
static void unmap(struct network *network)
{
        enum { MAPPED_BITS = 96, MAPPED_SIZE = MAPPED_BITS / 8 };
        struct in6_addr six;
        memcpy(&six, network->ip, sizeof six);
        if (network->ip_size != sizeof six || network->bits < MAPPED_BITS || !IN6_IS_ADDR_V4MAPPED(&six))
                return;
        memset(network->ip, 0, sizeof network->ip);
        memcpy(network->ip, six.s6_addr + MAPPED_SIZE, sizeof six - MAPPED_SIZE);
        network->ip_size = sizeof six - MAPPED_SIZE;
        network->bits -= MAPPED_BITS;
}

static bool read_network(struct reader *reader, json_t *item, void *out)
{
        static const char what[] = "an address or a network, as \"10.0.0.0/8\" or \"fd00::/8\"";
        struct network *const network = out;
        char ip[INET6_ADDRSTRLEN] = "";
        const char *const text = decode_name_text(&reader->decoder, "", item, what);
        if (text == NULL)
                return false;
        const size_t size = strcspn(text, "/");
        if (size < sizeof ip)
                memcpy(ip, text, size);
        network->ip_size = strchr(ip, ':') == NULL ? 4 : 16;
        network->bits = (unsigned)network->ip_size * 8;
        if (inet_pton(network->ip_size == 4 ? AF_INET : AF_INET6, ip, network->ip) != 1 ||
                (text[size] == '/' && !read_digits(text + size + 1, strlen(text + size + 1),
                                              network->ip_size * 8, &network->bits)))
                return decoder_fail(&reader->decoder, "", "must be %s, not \"%.*s\"", what, SHOWN_SIZE, text);
        if (has_bits_beyond(network))
                return decoder_fail(&reader->decoder, "", "has bits set beyond its first %u: \"%.*s\"",
                        network->bits, SHOWN_SIZE, text);
        unmap(network);
        return true;
}

static bool read_ports(struct reader *reader, json_t *item, void *out)
{
        static const char what[] = "a port or a range of them, as \"80\" or \"8000-8999\"";
        struct port_range *const range = out;
        unsigned first = 0, last = 0;
        const char *const text = decode_name_text(&reader->decoder, "", item, what);
        if (text == NULL)
                return false;
        const size_t size = strcspn(text, "-");
        const char *const end = text[size] == '-' ? text + size + 1 : text;
        if (!read_digits(text, size, UINT16_MAX, &first) || !read_digits(end, strlen(end), UINT16_MAX, &last))
                return decoder_fail(&reader->decoder, "", "must be %s, not \"%.*s\"", what, SHOWN_SIZE, text);
        if (first > last)
                return decoder_fail(
                        &reader->decoder, "", "ends before it begins: \"%.*s\"", SHOWN_SIZE, text);
        *range = (struct port_range){ .first = (uint16_t)first, .last = (uint16_t)last };
        return true;
}

static bool keep_word(struct reader *reader, const char *text, size_t size, struct word *out)
{
        char *const copy = policy_allocate(reader->policy, size + 1);
        if (copy == NULL)
                return decoder_fail_memory(&reader->decoder);
        memcpy(copy, text, size);
        *out = (struct word){ .bytes = copy, .size = size };
        return true;
}

static bool read_word(struct reader *reader, json_t *item, void *out)
{
        const char *const text = decode_name_text(&reader->decoder, "", item, "text that is not empty");
        return text != NULL && keep_word(reader, text, strlen(text), out);
}

/* Rules are compared with what the kernel resolves, so a rule must be resolved itself. */
static bool read_path(struct reader *reader, json_t *item, void *out)
{
        static const char what[] = "an absolute path";
        const char *const text = decode_name_text(&reader->decoder, "", item, what);
        if (text == NULL)
                return false;
        size_t size = strlen(text);
        if (text[0] != '/')
                return decoder_fail(&reader->decoder, "", "must be %s, not \"%.*s\"", what, SHOWN_SIZE, text);
        while (size > 1 && text[size - 1] == '/')
                size--;
        for (const char *part = text; part != NULL; part = strchr(part + 1, '/')) {
                const size_t length = strcspn(part + 1, "/");
                if (part + 1 < text + size &&
                        (length == 0 || (length <= 2 && strspn(part + 1, ".") >= length)))
                        return decoder_fail(&reader->decoder, "",
                                "must not have empty parts, \".\" or \"..\": \"%.*s\"", SHOWN_SIZE, text);
        }
        char *real memory_auto = realpath(text, NULL);
        if (real != NULL && (strlen(real) != size || memcmp(real, text, size) != 0))
                return decoder_fail(
                        &reader->decoder, "", "leads to \"%.*s\": say that instead", PATH_SHOWN, real);
        return keep_word(reader, text, size, out);
}

static bool read_device(struct reader *reader, json_t *item, void *out)
{
        static const char what[] = "the name of a network interface";
        const char *const text = decode_name_text(&reader->decoder, "", item, what);
        if (text == NULL)
                return false;
        if (strlen(text) >= IF_NAMESIZE || strpbrk(text, "/*? ") != NULL)
                return decoder_fail(&reader->decoder, "", "must be %s, not \"%.*s\"", what, SHOWN_SIZE, text);
        return keep_word(reader, text, strlen(text), out);
}

static bool read_netns(struct reader *reader, json_t *item, void *out)
{
        static const char what[] = "a name in /run/netns, or the number of a process";
        const char *const text = decode_name_text(&reader->decoder, "", item, what);
        if (text == NULL)
                return false;
        if (!netns_name_is_sound(text))
                return decoder_fail(&reader->decoder, "", "must be %s, not \"%.*s\"", what, SHOWN_SIZE, text);
        return keep_word(reader, text, strlen(text), out);
}

static bool number_or_name(const struct names *names, const char *text, size_t size, int *out)
{
        unsigned number = 0;
        long named = 0;
        if (read_digits(text, size, INT32_MAX, &number))
                named = (long)number;
        else if (names == NULL || !name_number(names, text, size, &named))
                return false;
        *out = (int)named;
        return true;
}

bool decode_option_key(struct decoder *decoder, const char *name, const json_t *value, struct option_key *out)
{
        static const char what[] = "an option, as \"SO_MARK\" or \"SOL_SOCKET:36\"";
        const char *const text = decode_name_text(decoder, name, value, what);
        if (text == NULL)
                return false;
        const size_t size = strcspn(text, ":");
        const struct option *const row = text[size] == '\0' ? option_elsewhere(text, size) : NULL;
        if (row != NULL) {
                *out = (struct option_key){ .level = row->level, .option = row->number };
                return true;
        }
        const char *const second = text + size + (text[size] == ':');
        if (text[size] != ':' || !number_or_name(&level_names, text, size, &out->level) ||
                !number_or_name(option_level_names(out->level), second, strlen(second), &out->option))
                return decoder_fail(decoder, name, "must be %s, not \"%.*s\"", what, SHOWN_SIZE, text);
        return true;
}

/* Some options are judged by what they do, and so never as options. */
static bool read_option(struct reader *reader, json_t *item, void *out)
{
        static const uint8_t sample[] = { 0xff };
        struct option_key *const key = out;
        struct deed deed = { .kind = DEED_OPTION };
        struct target target;
        if (!decode_option_key(&reader->decoder, "", item, key))
                return false;
        deed_of_option(&deed, &target, key->level, key->option, sample, sizeof sample);
        if (deed.kind != DEED_OPTION)
                return decoder_fail(&reader->decoder, "", "is judged as %s, not as option: \"%.*s\"",
                        deed_names[deed.kind], SHOWN_SIZE, json_string_value(item));
        return true;
}

enum {
        TO_IP = DEED(BIND) | DEED(CONNECT) | DEED(ACCEPT) | DEED(SEND),
        TO_PATH = DEED(BIND) | DEED(CONNECT) | DEED(SEND),
};

const struct rule_list rule_lists[] = {
#define LIST_ROW(text, member, type, deeds, read)                                                            \
        {                                                                                                    \
#text, offsetof(struct rule_text, text), offsetof(struct rule, member), sizeof(type), deeds, \
                        read                                                                                 \
        }
        LIST_ROW(family, families, int, ANY_DEED, read_family),
        LIST_ROW(type, types, int, ANY_DEED, read_type),
        LIST_ROW(cidr, networks, struct network, TO_IP | DEED(JOIN), read_network),
        LIST_ROW(ports, ports, struct port_range, TO_IP, read_ports),
        LIST_ROW(path, paths, struct word, TO_PATH, read_path),
        LIST_ROW(abstract, abstracts, struct word, TO_IP, read_word),
        LIST_ROW(option, options, struct option_key, DEED(OPTION), read_option),
        LIST_ROW(device, devices, struct word, DEED(DEVICE), read_device),
        LIST_ROW(netns, netns, struct word, DEED(NETNS), read_netns),
        LIST_ROW(token, tokens, struct word, ANY_DEED, read_word),
        LIST_ROW(policy, policies, struct word, ANY_DEED, read_word),
};

const size_t rule_list_count = sizeof rule_lists / sizeof *rule_lists;
