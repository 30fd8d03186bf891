/* test_address_json.c: every family's address from JSON and back, what is refused and by which name, and that
 * whatever the kernel says can be said. */
#include "api/address_json.h"

#include "daemon/sockets/cleanup.h"
#include "tests/unit/rows.h"

#define COUNT(rows) (sizeof(rows) / sizeof *(rows))

static const struct field row_field = { .name = "address", .kind = FIELD_ADDRESS };

struct trip_row {
        const char *name;
        const char *json;
        const char *back; /* NULL: the same */
        socklen_t size;   /* of the sockaddr */
};

static const struct trip_row trip_rows[] = {
        { "short IPv4", "\"127.0.0.1:80\"", "{\"family\":\"AF_INET\",\"host\":\"127.0.0.1\",\"port\":80}",
                16 },
        { "short IPv6", "\"[::1]:80\"",
                "{\"family\":\"AF_INET6\",\"host\":\"::1\",\"port\":80,\"scope_id\":0,\"flowinfo\":0}", 28 },
        { "short path", "\"unix:/run/x\"", "{\"family\":\"AF_UNIX\",\"path\":\"/run/x\"}", 9 },
        { "short abstract", "\"unix:@x\"", "{\"family\":\"AF_UNIX\",\"abstract\":\"x\"}", 4 },
        { "short autobind", "\"unix:\"", "{\"family\":\"AF_UNIX\"}", 2 },
        { "IPv4", "{\"family\":\"AF_INET\",\"host\":\"10.0.0.1\",\"port\":65535}", NULL, 16 },
        { "family by number", "{\"family\":2,\"host\":\"10.0.0.1\",\"port\":1}",
                "{\"family\":\"AF_INET\",\"host\":\"10.0.0.1\",\"port\":1}", 16 },
        { "only a family", "{\"family\":\"AF_INET\"}",
                "{\"family\":\"AF_INET\",\"host\":\"0.0.0.0\",\"port\":0}", 16 },
        { "no family, IPv4", "{\"host\":\"10.0.0.1\",\"port\":1}",
                "{\"family\":\"AF_INET\",\"host\":\"10.0.0.1\",\"port\":1}", 16 },
        { "no family, IPv6", "{\"host\":\"::2\",\"port\":1,\"scope_id\":3}",
                "{\"family\":\"AF_INET6\",\"host\":\"::2\",\"port\":1,\"scope_id\":3,\"flowinfo\":0}", 28 },
        { "no family, only a port", "{\"port\":1}",
                "{\"family\":\"AF_INET\",\"host\":\"0.0.0.0\",\"port\":1}", 16 },
        { "IPv6",
                "{\"family\":\"AF_INET6\",\"host\":\"fe80::1\",\"port\":80,\"scope_id\":4294967295,"
                "\"flowinfo\":1048575}",
                NULL, 28 },
        { "scope in the host", "{\"family\":\"AF_INET6\",\"host\":\"fe80::1%lo\",\"port\":80}",
                "{\"family\":\"AF_INET6\",\"host\":\"fe80::1\",\"port\":80,\"scope_id\":1,\"flowinfo\":0}",
                28 },
        { "path", "{\"path\":\"/tmp/s\"}", "{\"family\":\"AF_UNIX\",\"path\":\"/tmp/s\"}", 9 },
        { "path in base64", "{\"path_base64\":\"L3Rt/w==\"}",
                "{\"family\":\"AF_UNIX\",\"path_base64\":\"L3Rt/w==\"}", 7 },
        { "path in needless base64", "{\"path_base64\":\"L3Rt\"}",
                "{\"family\":\"AF_UNIX\",\"path\":\"/tm\"}", 6 },
        { "abstract in base64", "{\"family\":\"AF_UNIX\",\"abstract_base64\":\"AAD/\"}", NULL, 6 },
        { "AF_LOCAL", "{\"family\":\"AF_LOCAL\",\"path\":\"/x\"}", "{\"family\":\"AF_UNIX\",\"path\":\"/x\"}",
                5 },
        { "unnamed", "{\"family\":\"AF_UNIX\"}", NULL, 2 },
        { "packet",
                "{\"family\":\"AF_PACKET\",\"protocol\":2048,\"interface\":\"lo\",\"hardware_type\":772,"
                "\"packet_type\":4,"
                "\"hardware_address\":\"02:00:5e:10:00:ff\"}",
                NULL, 20 },
        { "packet, interface by index", "{\"interface\":1}",
                "{\"family\":\"AF_PACKET\",\"protocol\":0,\"interface\":\"lo\",\"hardware_type\":0,\"packet_"
                "type\":0,"
                "\"hardware_address\":\"\"}",
                20 },
        { "packet, longest hardware address",
                "{\"family\":\"AF_PACKET\",\"hardware_address\":\"01:02:03:04:05:06:07:08\"}",
                "{\"family\":\"AF_PACKET\",\"protocol\":0,\"interface\":0,\"hardware_type\":0,\"packet_"
                "type\":0,"
                "\"hardware_address\":\"01:02:03:04:05:06:07:08\"}",
                20 },
        { "vsock", "{\"family\":\"AF_VSOCK\",\"cid\":4294967295,\"port\":4294967295}", NULL, 16 },
        { "no family, vsock", "{\"cid\":1,\"port\":1024}",
                "{\"family\":\"AF_VSOCK\",\"cid\":1,\"port\":1024}", 16 },
        { "netlink", "{\"family\":\"AF_NETLINK\",\"pid\":4294967295,\"groups\":17}", NULL, 12 },
        { "raw of an unknown family", "{\"family\":99,\"raw\":\"AQID\"}", NULL, 5 },
        { "raw of a family with a name", "{\"family\":\"AF_CAN\",\"raw\":\"AQID\"}", NULL, 5 },
        { "raw, short AF_INET", "{\"family\":\"AF_INET\",\"raw\":\"AFB/\"}", NULL, 5 },
        { "raw, nothing", "{\"family\":\"AF_INET6\",\"raw\":\"\"}", NULL, 2 },
        { "raw of full AF_INET", "{\"family\":\"AF_INET\",\"raw\":\"AFB/AAABAAAAAAAAAAA=\"}",
                "{\"family\":\"AF_INET\",\"host\":\"127.0.0.1\",\"port\":80}", 16 },
        { "highest family", "{\"family\":65535,\"raw\":\"\"}", NULL, 2 },
        { "no peer any more", "{\"family\":\"AF_UNSPEC\"}",
                "{\"family\":\"AF_UNSPEC\",\"raw\":\"AAAAAAAAAAAAAAAAAAA=\"}", 16 },
};

struct trial {
        struct arena arena;
        struct problem problem;
        struct decoder decoder;
        struct address address;
};

static void trial_end(struct trial *trial)
{
        arena_free(&trial->arena);
        json_decref(trial->problem.extra);
}

static bool trial_decode(struct trial *trial, json_t *value)
{
        trial->decoder = (struct decoder){ .arena = &trial->arena, .problem = &trial->problem };
        return decode_address(&trial->decoder, &row_field, value, &trial->address);
}

static json_t *json_of(const char *text)
{
        json_error_t error;
        json_t *const value = json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
        assert_non_null(value);
        return value;
}

static void trip(void **state)
{
        const struct trip_row *const row = *state;
        struct trial trial __attribute__((cleanup(trial_end))) = { .arena = { NULL } };
        json_auto_t *value = json_of(row->json);
        json_auto_t *wanted = json_of(row->back == NULL ? row->json : row->back);
        if (!trial_decode(&trial, value))
                fail_msg("%s: %s", trial.problem.parameter, trial.problem.detail);
        assert_true(trial.address.given);
        assert_int_equal(trial.address.size, row->size);
        assert_string_equal(trial.decoder.path, "");
        json_auto_t *back = encode_address(&row_field, &trial.address);
        if (!json_equal(back, wanted)) {
                memory_auto char *text = json_dumps(back, JSON_COMPACT);
                fail_msg("came back as %s", text);
        }
}

struct refusal_row {
        const char *name;
        const char *json;
        const char *parameter;
        const char *detail; /* a part of it, or NULL */
};

static const struct refusal_row refusal_rows[] = {
        { "a number", "80", "address", "not a number" },
        { "null", "null", "address", "not null" },
        { "a list", "[\"127.0.0.1\", 80]", "address", "not a list" },
        { "bad short form", "\"::1\"", "address", "brackets" },
        { "NUL in a short form", "\"unix:/x\\u0000y\"", "address", "NUL" },
        { "empty object", "{}", "address.family", "needs a family" },
        { "unknown members only", "{\"x\":1}", "address.family", "needs a family" },
        { "port too large", "{\"host\":\"127.0.0.1\",\"port\":65536}", "address.port", NULL },
        { "negative port", "{\"host\":\"127.0.0.1\",\"port\":-1}", "address.port", NULL },
        { "port as text", "{\"host\":\"127.0.0.1\",\"port\":\"80\"}", "address.port", NULL },
        { "port with a fraction", "{\"host\":\"127.0.0.1\",\"port\":80.0}", "address.port", NULL },
        { "host as a number", "{\"host\":1,\"port\":80}", "address.host", "text" },
        { "host with NUL", "{\"host\":\"127.0.0.1\\u0000\",\"port\":80}", "address.host", "NUL" },
        { "host in brackets", "{\"host\":\"[::1]\",\"port\":80}", "address.host", "no IPv6" },
        { "IPv6 host of AF_INET", "{\"family\":\"AF_INET\",\"host\":\"::1\"}", "address.host", "no IPv4" },
        { "misspelt member", "{\"family\":\"AF_INET\",\"hots\":\"127.0.0.1\"}", "address.hots",
                "did you mean \"host\"" },
        { "misspelt family", "{\"family\":\"AF_INTE\",\"port\":1}", "address.family",
                "did you mean \"AF_INET\"" },
        { "family out of range", "{\"family\":65536,\"raw\":\"\"}", "address.family", NULL },
        { "negative family", "{\"family\":-1,\"raw\":\"\"}", "address.family", NULL },
        { "family without a form", "{\"family\":\"AF_CAN\"}", "address.raw", "raw" },
        { "another family's member", "{\"family\":\"AF_INET\",\"path\":\"/x\"}", "address.path", NULL },
        { "scope of IPv4", "{\"family\":\"AF_INET\",\"host\":\"127.0.0.1\",\"scope_id\":1}",
                "address.scope_id", NULL },
        { "scope of what is IPv4", "{\"host\":\"127.0.0.1\",\"port\":1,\"scope_id\":1}", "address.scope_id",
                "IPv6" },
        { "scope too large", "{\"host\":\"::1\",\"scope_id\":4294967296}", "address.scope_id", NULL },
        { "path and abstract", "{\"path\":\"/x\",\"abstract\":\"x\"}", "address.abstract", "exclude" },
        { "empty path", "{\"path\":\"\"}", "address.path", "empty" },
        { "NUL in a path", "{\"path\":\"/x\\u0000\"}", "address.path", "NUL" },
        { "NUL in a base64 path", "{\"path_base64\":\"AAAA\"}", "address.path_base64", "NUL" },
        { "path that is no base64", "{\"path_base64\":\"*\"}", "address.path_base64", "base64" },
        { "no such interface", "{\"family\":\"AF_PACKET\",\"interface\":\"nosuch0\"}", "address.interface",
                "nosuch0" },
        { "interface of no kind", "{\"family\":\"AF_PACKET\",\"interface\":true}", "address.interface",
                NULL },
        { "negative interface", "{\"family\":\"AF_PACKET\",\"interface\":-1}", "address.interface", NULL },
        { "hardware address too long", "{\"hardware_address\":\"01:02:03:04:05:06:07:08:09\"}",
                "address.hardware_address", NULL },
        { "hardware address of one digit", "{\"hardware_address\":\"1:02\"}", "address.hardware_address",
                NULL },
        { "hardware address with an end", "{\"hardware_address\":\"01:\"}", "address.hardware_address",
                NULL },
        { "hardware address of letters", "{\"hardware_address\":\"gg\"}", "address.hardware_address", NULL },
        { "protocol too large", "{\"family\":\"AF_PACKET\",\"protocol\":65536}", "address.protocol", NULL },
        { "packet type too large", "{\"family\":\"AF_PACKET\",\"packet_type\":256}", "address.packet_type",
                NULL },
        { "vsock without a cid", "{\"family\":\"AF_VSOCK\",\"port\":1}", "address.cid", "missing" },
        { "cid too large", "{\"cid\":4294967296,\"port\":1}", "address.cid", NULL },
        { "netlink group too large", "{\"family\":\"AF_NETLINK\",\"groups\":4294967296}", "address.groups",
                NULL },
        { "raw without a family", "{\"raw\":\"\"}", "address.family", NULL },
        { "raw and another", "{\"family\":\"AF_INET\",\"raw\":\"\",\"port\":1}", "address.port", NULL },
        { "raw that is no base64", "{\"family\":1,\"raw\":\"A\"}", "address.raw", "base64" },
};

static void refusal(void **state)
{
        const struct refusal_row *const row = *state;
        struct trial trial __attribute__((cleanup(trial_end))) = { .arena = { NULL } };
        json_auto_t *value = json_of(row->json);
        assert_false(trial_decode(&trial, value));
        assert_int_equal(trial.problem.kind, PROBLEM_UNSOUND_REQUEST);
        assert_string_equal(trial.problem.parameter, row->parameter);
        if (row->detail != NULL && strstr(trial.problem.detail, row->detail) == NULL)
                fail_msg("says: %s", trial.problem.detail);
}

static void name_to_resolve(void **state)
{
        (void)state;
        struct trial trial __attribute__((cleanup(trial_end))) = { .arena = { NULL } };
        json_auto_t *value = json_of("{\"family\":\"AF_INET6\",\"host\":\"example.test\",\"port\":80}");
        assert_true(trial_decode(&trial, value));
        assert_int_equal(trial.address.size, 0);
        assert_string_equal(trial.address.name, "example.test");
        assert_int_equal(trial.address.port, 80);
        assert_int_equal(trial.address.storage.ss_family, AF_INET6);
}

static void raw_of_all_the_room(void **state)
{
        (void)state;
        struct trial trial __attribute__((cleanup(trial_end))) = { .arena = { NULL } };
        char base64[173];
        memset(base64, 'A', 168);
        base64[168] = '\0';
        json_auto_t *fits = json_pack("{si, ss}", "family", 1, "raw", base64);
        strcpy(base64 + 168, "AA==");
        json_auto_t *does_not = json_pack("{si, ss}", "family", 1, "raw", base64);
        assert_true(trial_decode(&trial, fits));
        assert_int_equal(trial.address.size, sizeof trial.address.storage);
        assert_false(trial_decode(&trial, does_not));
        assert_string_equal(trial.problem.parameter, "address.raw");
        assert_non_null(strstr(trial.problem.detail, "room for 126"));
}

static void no_address(void **state)
{
        (void)state;
        const struct address absent = { .given = false };
        const struct address empty = { .given = true };
        json_auto_t *one = encode_address(&row_field, &absent);
        json_auto_t *other = encode_address(&row_field, &empty);
        assert_true(json_is_null(one) && json_is_null(other));
}

/* Whatever the kernel may say, in any length, is said, and is taken back. */
static void all_lengths(void **state)
{
        (void)state;
        static const int fillings[] = { 0x00, 0x01, 0x41, 0xee };
        for (int family = 0; family < 50; family++)
                for (size_t filling = 0; filling < COUNT(fillings); filling++)
                        for (socklen_t size = sizeof(sa_family_t); size <= sizeof(struct sockaddr_storage);
                                size++) {
                                struct trial trial
                                        __attribute__((cleanup(trial_end))) = { .arena = { NULL } };
                                struct address address = { .given = true, .size = size };
                                memset(&address.storage, fillings[filling], size);
                                address.storage.ss_family = (sa_family_t)family;
                                json_auto_t *value = encode_address(&row_field, &address);
                                assert_true(json_is_object(value));
                                if (!trial_decode(&trial, value))
                                        fail_msg("%s: %s", trial.problem.parameter, trial.problem.detail);
                                json_auto_t *again = encode_address(&row_field, &trial.address);
                                assert_true(json_equal(value, again));
                        }
}

/* The addresses that this kernel gives real sockets have the forms of their families. */
struct kernel_row {
        const char *name;
        int family, type;
        const char *bind;   /* NULL: not bound */
        const char *member; /* that its form must have; NULL: it is only a family */
};

static const struct kernel_row kernel_rows[] = {
        { "kernel, IPv4", AF_INET, SOCK_DGRAM, "\"127.0.0.1:0\"", "host" },
        { "kernel, IPv6", AF_INET6, SOCK_DGRAM, "\"[::]:0\"", "scope_id" },
        { "kernel, unnamed", AF_UNIX, SOCK_STREAM, NULL, NULL },
        { "kernel, autobind", AF_UNIX, SOCK_STREAM, "\"unix:\"", "abstract" },
        { "kernel, odd abstract name", AF_UNIX, SOCK_STREAM, "{\"abstract_base64\":\"/wD/AQ==\"}",
                "abstract_base64" },
        { "kernel, netlink", AF_NETLINK, SOCK_RAW, "{\"pid\":0,\"groups\":0}", "pid" },
        { "kernel, packet", AF_PACKET, SOCK_DGRAM, "{\"interface\":\"lo\",\"protocol\":2048}",
                "hardware_address" },
        { "kernel, vsock", AF_VSOCK, SOCK_STREAM, "{\"cid\":4294967295,\"port\":4294967295}", "cid" },
};

static void kernel(void **state)
{
        const struct kernel_row *const row = *state;
        struct trial trial __attribute__((cleanup(trial_end))) = { .arena = { NULL } };
        fd_auto int fd = socket(row->family, row->type, 0);
        if (fd < 0 && (errno == EPERM || errno == EAFNOSUPPORT)) {
                print_message("this host gives no such socket: %s\n", strerror(errno));
                skip();
        }
        if (row->bind != NULL) {
                json_auto_t *value = json_of(row->bind);
                assert_true(trial_decode(&trial, value));
                assert_return_code(
                        bind(fd, (const struct sockaddr *)&trial.address.storage, trial.address.size), errno);
        }
        struct address address = { .given = true, .size = sizeof address.storage };
        assert_return_code(getsockname(fd, (struct sockaddr *)&address.storage, &address.size), errno);
        json_auto_t *said = encode_address(&row_field, &address);
        assert_null(json_object_get(said, "raw"));
        if (row->member != NULL)
                assert_non_null(json_object_get(said, row->member));
        else
                assert_int_equal(json_object_size(said), 1);
}

static void schemas(void **state)
{
        (void)state;
        json_auto_t *request = address_schema(&row_field, true);
        json_auto_t *reply = address_schema(&row_field, false);
        json_t *const forms = json_object_get(request, "anyOf");
        assert_string_equal(json_string_value(json_object_get(json_array_get(forms, 0), "type")), "string");
        for (size_t form = 1; form < json_array_size(forms); form++) {
                json_t *const schema = json_array_get(forms, form);
                assert_true(json_is_false(json_object_get(schema, "additionalProperties")));
                assert_non_null(json_object_get(json_object_get(schema, "properties"), "family"));
        }
        assert_int_equal(json_array_size(json_object_get(reply, "anyOf")), 7);
}

int main(void)
{
        static struct row_tests all;
        ROWS_ADD(&all, trip, trip_rows);
        ROWS_ADD(&all, refusal, refusal_rows);
        ROWS_ADD(&all, kernel, kernel_rows);
        rows_add_one(&all, "name to resolve", name_to_resolve);
        rows_add_one(&all, "raw of all the room", raw_of_all_the_room);
        rows_add_one(&all, "no address", no_address);
        rows_add_one(&all, "all lengths", all_lengths);
        rows_add_one(&all, "schemas", schemas);
        return rows_run("address_json", &all);
}
