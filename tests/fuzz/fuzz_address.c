/* fuzz_address.c: addresses as text ('t'), as JSON ('j') and as bytes of the kernel ('b'), and from each to
 * the others. */
#include <linux/vm_sockets.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/un.h>

#include "api/address_json.h"
#include "api/utf8.h"
#include "daemon/sockets/cleanup.h"
#include "tests/fuzz/fuzz.h"

static const struct field field = { .name = "address", .kind = FIELD_ADDRESS };

static bool decode(json_t *json, struct address *out)
{
        struct arena arena = { .blocks = NULL };
        struct problem problem = { .extra = NULL };
        struct decoder decoder = { .arena = &arena, .problem = &problem };
        const bool sound = decode_address(&decoder, &field, json, out);
        json_auto_t *reply = sound ? NULL : problem_to_json(&problem);
        HOLDS(sound || reply != NULL);
        arena_free(&arena);
        return sound;
}

static bool same(const struct address *one, const struct address *other)
{
        return one->size == other->size && one->port == other->port && strcmp(one->name, other->name) == 0 &&
               one->storage.ss_family == other->storage.ss_family &&
               memcmp(&one->storage, &other->storage, one->size) == 0;
}

/* What an address is printed as is safe in a log, and no longer than its room. */
static void check_text(const struct address *address)
{
        char text[ADDRESS_TEXT_SIZE], small[16];
        address_format(address, text, sizeof text);
        HOLDS(strlen(address_format(address, small, sizeof small)) < sizeof small);
        for (size_t i = 0; text[i] != '\0';) {
                const size_t size = utf8_sequence(text + i, strlen(text + i));
                HOLDS(size > 0 && (unsigned char)text[i] >= 0x20 && text[i] != 0x7f);
                HOLDS((unsigned char)text[i] != 0xc2 || (unsigned char)text[i + 1] >= 0xa0);
                i += size;
        }
}

/* Nothing is between the members of these families that JSON could not say. */
static bool is_exact(int family)
{
        return family != AF_PACKET;
}

/* Whatever a reply says, a request takes, and means the same by it. */
static void check_json(const struct address *address)
{
        struct address again;
        json_auto_t *json = encode_address(&field, address);
        HOLDS(json != NULL);
        if (json_is_null(json))
                return;
        HOLDS(decode(json, &again));
        json_auto_t *json_again = encode_address(&field, &again);
        HOLDS(json_equal(json, json_again));
        HOLDS(!is_exact(address->storage.ss_family) || same(address, &again));
}

/* What was read as text, and printed without escapes, is the same address. */
static void check_round_trip(const struct address *address)
{
        char text[ADDRESS_TEXT_SIZE];
        struct address again;
        address_format(address, text, sizeof text);
        if (strchr(text, '\\') == NULL)
                HOLDS(address_parse(text, &again).kind == RESULT_DONE && same(address, &again));
}

static void take_text(const uint8_t *bytes, size_t size)
{
        memory_auto char *text = fuzz_text(bytes, size);
        struct address address = { .port = 1 }, fitted;
        const struct result result = address_parse(text, &address);
        HOLDS(result.kind == RESULT_DONE || (result.kind == RESULT_UNSOUND && result.detail != NULL));
        HOLDS(result.kind == RESULT_DONE || (!address.given && address.port == 1));
        if (result.kind != RESULT_DONE)
                return;
        HOLDS(address.given && (address.size > 0) == (address.name[0] == '\0'));
        check_text(&address);
        check_json(&address);
        check_round_trip(&address);
        fitted = address;
        address_fit(&fitted, AF_INET6);
        check_text(&fitted);
        check_json(&fitted);
}

static void take_json(const uint8_t *bytes, size_t size)
{
        json_auto_t *json = json_loadb((const char *)bytes, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        struct address address;
        if (json == NULL || !decode(json, &address))
                return;
        check_text(&address);
        check_json(&address);
}

/* The kernel leaves the ends of these blank, and nobody looks there. */
static const struct {
        sa_family_t family;
        size_t from, to;
} blanks[] = {
        { AF_INET, offsetof(struct sockaddr_in, sin_zero), sizeof(struct sockaddr_in) },
        { AF_VSOCK, offsetof(struct sockaddr_vm, svm_zero), sizeof(struct sockaddr_vm) },
};

static void take_bytes(const uint8_t *bytes, size_t size)
{
        struct address address = { .given = true };
        uint8_t *const storage = (uint8_t *)&address.storage;
        if (size > sizeof address.storage)
                return;
        address.size = (socklen_t)size;
        memcpy(storage, bytes, size);
        for (size_t i = 0; i < sizeof blanks / sizeof *blanks; i++)
                if (address.storage.ss_family == blanks[i].family)
                        memset(storage + blanks[i].from, 0, blanks[i].to - blanks[i].from);
        check_text(&address);
        check_json(&address);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
        static const struct {
                uint8_t letter;
                void (*take)(const uint8_t *bytes, size_t size);
        } forms[] = { { 't', take_text }, { 'j', take_json }, { 'b', take_bytes } };
        for (size_t i = 0; size > 0 && i < sizeof forms / sizeof *forms; i++)
                if (bytes[0] == forms[i].letter)
                        forms[i].take(bytes + 1, size - 1);
        return 0;
}
