/* test_address.c: the short forms of addresses, good and bad, and addresses as text that is safe to print. */
#include "daemon/sockets/address.h"

#include <arpa/inet.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/un.h>

#include "tests/unit/rows.h"

#define TEN "0123456789"
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN
#define LABEL "abcdefghij."
#define LABELS_220                                                                                           \
        LABEL LABEL LABEL LABEL LABEL LABEL LABEL LABEL LABEL LABEL LABEL LABEL LABEL LABEL LABEL LABEL      \
                LABEL LABEL LABEL LABEL
#define NAME_253 LABELS_220 LABEL LABEL LABEL

struct parse_row {
        const char *name;
        const char *text;
        const char *formatted; /* NULL: refused */
        const char *detail;    /* a part of why */
};

static const struct parse_row parse_rows[] = {
        { "IPv4", "127.0.0.1:80", "127.0.0.1:80", NULL },
        { "IPv4, port 0", "127.0.0.1:0", "127.0.0.1:0", NULL },
        { "IPv4, highest port", "255.255.255.255:65535", "255.255.255.255:65535", NULL },
        { "IPv4, port with zeros", "127.0.0.1:00080", "127.0.0.1:80", NULL },
        { "IPv6", "[::1]:80", "[::1]:80", NULL },
        { "IPv6, any", "[::]:0", "[::]:0", NULL },
        { "IPv6, mapped", "[::ffff:127.0.0.1]:1", "[::ffff:127.0.0.1]:1", NULL },
        { "IPv6, scope by name", "[fe80::1%lo]:80", "[fe80::1%1]:80", NULL },
        { "IPv6, scope by number", "[fe80::1%7]:80", "[fe80::1%7]:80", NULL },
        { "name", "example.test:80", "example.test:80", NULL },
        { "name with digits", "host-1_a.4th:80", "host-1_a.4th:80", NULL },
        { "name in other letters", "na\xc3\xafve.test:80", "na\xc3\xafve.test:80", NULL },
        { "longest name", NAME_253 ":80", NAME_253 ":80", NULL },
        { "any address", ":80", "0.0.0.0:80", NULL },
        { "path", "unix:/run/x", "unix:/run/x", NULL },
        { "relative path", "unix:x", "unix:x", NULL },
        { "path with an odd byte", "unix:/tmp/\xff\n", "unix:/tmp/\\xff\\x0a", NULL },
        { "longest path", "unix:" HUNDRED "1234567", "unix:" HUNDRED "1234567", NULL },
        { "abstract", "unix:@x", "unix:@x", NULL },
        { "longest abstract", "unix:@" HUNDRED "1234567", "unix:@" HUNDRED "1234567", NULL },
        { "autobind", "unix:", "unix:", NULL },
        { "empty", "", NULL, "host:port" },
        { "no port", "127.0.0.1", NULL, "host:port" },
        { "empty port", "127.0.0.1:", NULL, "0 to 65535" },
        { "port too large", "127.0.0.1:65536", NULL, "0 to 65535" },
        { "port far too large", "127.0.0.1:4294967376", NULL, "0 to 65535" },
        { "negative port", "127.0.0.1:-1", NULL, "0 to 65535" },
        { "signed port", "127.0.0.1:+1", NULL, "0 to 65535" },
        { "port with a space", "127.0.0.1: 80", NULL, "0 to 65535" },
        { "port by name", "127.0.0.1:http", NULL, "0 to 65535" },
        { "port in hexadecimal", "127.0.0.1:0x50", NULL, "0 to 65535" },
        { "bare IPv6", "::1", NULL, "brackets" },
        { "bare IPv6 and port", "fe80::1:80", NULL, "brackets" },
        { "bracket not closed", "[::1:80", NULL, "not closed" },
        { "bracket without port", "[::1]", NULL, "port is missing" },
        { "bracket and rubbish", "[::1]x:80", NULL, "port is missing" },
        { "empty bracket", "[]:80", NULL, "no IPv6 address" },
        { "IPv4 in brackets", "[127.0.0.1]:80", NULL, "no IPv6 address" },
        { "name in brackets", "[example.test]:80", NULL, "no IPv6 address" },
        { "nine groups", "[1:2:3:4:5:6:7:8:9]:80", NULL, "no IPv6 address" },
        { "no such scope", "[fe80::1%nosuch0]:80", NULL, "interface" },
        { "empty scope", "[fe80::1%]:80", NULL, "interface" },
        { "scope too large", "[fe80::1%4294967296]:80", NULL, "interface" },
        { "octet too large", "256.1.1.1:80", NULL, "no IPv4 address" },
        { "three octets", "127.0.1:80", NULL, "no IPv4 address" },
        { "octal octets", "0251.0376.0251.0376:80", NULL, "no IPv4 address" },
        { "one number", "2852039166:80", NULL, "no IPv4 address" },
        { "hexadecimal", "0x7f000001:80", NULL, "no IPv4 address" },
        { "space in a name", "a b:80", NULL, "neither" },
        { "line break in a name", "a\n:80", NULL, "neither" },
        { "slash in a name", "a/b:80", NULL, "neither" },
        { "URL", "http://a:80", NULL, "brackets" },
        { "name too long", NAME_253 "a:80", NULL, "253" },
        { "name far too long", HUNDRED HUNDRED HUNDRED HUNDRED ":80", NULL, "253" },
        { "path too long", "unix:" HUNDRED "12345678", NULL, "107" },
        { "abstract too long", "unix:@" HUNDRED "12345678", NULL, "107" },
};

static void parse(void **state)
{
        const struct parse_row *const row = *state;
        char text[ADDRESS_TEXT_SIZE];
        struct address address = { .port = 4711 };
        const struct result result = address_parse(row->text, &address);
        if (row->formatted == NULL) {
                assert_int_equal(result.kind, RESULT_UNSOUND);
                assert_null(result.parameter);
                assert_non_null(strstr(result.detail, row->detail));
                assert_int_equal(address.port, 4711);
                assert_false(address.given);
                return;
        }
        assert_int_equal(result.kind, RESULT_DONE);
        assert_true(address.given);
        assert_string_equal(address_format(&address, text, sizeof text), row->formatted);
}

struct host_row {
        const char *name;
        int family;
        const char *host;
        int found; /* family of the outcome, or -1: refused, or AF_UNSPEC: a name to resolve */
};

static const struct host_row host_rows[] = {
        { "wildcard of IPv4", AF_INET, "", AF_INET },
        { "wildcard of IPv6", AF_INET6, "", AF_INET6 },
        { "IPv6 of either", AF_UNSPEC, "::1", AF_INET6 },
        { "IPv4 of either", AF_UNSPEC, "1.2.3.4", AF_INET },
        { "IPv6 as IPv4", AF_INET, "::1", -1 },
        { "IPv4 as IPv6", AF_INET6, "127.0.0.1", -1 },
        { "name", AF_INET6, "localhost", AF_UNSPEC },
};

static void host(void **state)
{
        const struct host_row *const row = *state;
        struct address address = { .size = 0 };
        const struct result result = address_from_host(row->family, row->host, 7, &address);
        assert_int_equal(result.kind, row->found < 0 ? RESULT_UNSOUND : RESULT_DONE);
        if (row->found > 0)
                assert_int_equal(address.storage.ss_family, row->found);
        if (row->found == AF_UNSPEC) {
                assert_string_equal(address.name, row->host);
                assert_int_equal(address.port, 7);
                assert_int_equal(address.size, 0);
                assert_int_equal(address.storage.ss_family, row->family);
        }
}

static void unix_bytes(void **state)
{
        (void)state;
        struct address address;
        assert_int_equal(address_from_unix("a\0b", 3, false, &address).kind, RESULT_UNSOUND);
        assert_int_equal(address_from_unix("", 0, false, &address).kind, RESULT_UNSOUND);
        assert_int_equal(address_from_unix("a\0b", 3, true, &address).kind, RESULT_DONE);
        assert_int_equal(address.size, offsetof(struct sockaddr_un, sun_path) + 4);
        assert_memory_equal(
                (const char *)&address.storage + offsetof(struct sockaddr_un, sun_path), "\0a\0b", 4);
        assert_int_equal(address_from_unix("", 0, true, &address).kind, RESULT_DONE);
        assert_int_equal(address.size, offsetof(struct sockaddr_un, sun_path));
        assert_int_equal(address_from_unix("/x", 2, false, &address).kind, RESULT_DONE);
        assert_int_equal(address.size, offsetof(struct sockaddr_un, sun_path) + 3);
}

static void fit(void **state)
{
        (void)state;
        char text[ADDRESS_TEXT_SIZE];
        struct address address;
        assert_int_equal(address_parse(":80", &address).kind, RESULT_DONE);
        address_fit(&address, AF_INET);
        assert_string_equal(address_format(&address, text, sizeof text), "0.0.0.0:80");
        address_fit(&address, AF_INET6);
        assert_string_equal(address_format(&address, text, sizeof text), "[::]:80");
        assert_int_equal(address_parse("0.0.0.0:80", &address).kind, RESULT_DONE);
        address_fit(&address, AF_INET6);
        assert_string_equal(address_format(&address, text, sizeof text), "0.0.0.0:80");
}

struct escape_row {
        const char *name;
        const char *bytes;
        size_t size; /* 0: the text's own */
        size_t room; /* 0: plenty */
        const char *text;
};

static const struct escape_row escape_rows[] = {
        { "plain", "a b~", 0, 0, "a b~" },
        { "control characters", "\0\t\x1b\x7f", 4, 0, "\\x00\\x09\\x1b\\x7f" },
        { "backslash", "\\x00", 0, 0, "\\x5cx00" },
        { "two, three, four bytes", "\xc3\xa9\xe6\xbc\xa2\xf0\x9f\x98\x80", 0, 0,
                "\xc3\xa9\xe6\xbc\xa2\xf0\x9f\x98\x80" },
        { "C1", "\xc2\x9b\xc2\xa0", 0, 0, "\\xc2\\x9b\xc2\xa0" },
        { "stray continuation", "\x80", 0, 0, "\\x80" },
        { "overlong", "\xc0\xaf\xe0\x80\xaf\xf0\x80\x80\xaf", 0, 0,
                "\\xc0\\xaf\\xe0\\x80\\xaf\\xf0\\x80\\x80\\xaf" },
        { "surrogate", "\xed\xa0\x80", 0, 0, "\\xed\\xa0\\x80" },
        { "above Unicode", "\xf4\x90\x80\x80\xff", 0, 0, "\\xf4\\x90\\x80\\x80\\xff" },
        { "cut short", "a\xe6\xbc", 0, 0, "a\\xe6\\xbc" },
        { "little room", "abc", 0, 3, "ab" },
        { "no room for an escape", "a\n", 0, 5, "a" },
        { "no room for a character", "a\xe6\xbc\xa2", 0, 4, "a" },
        { "room for the NUL", "abc", 0, 1, "" },
};

static void escape(void **state)
{
        const struct escape_row *const row = *state;
        char text[64];
        text_escape(row->bytes, row->size > 0 ? row->size : strlen(row->bytes), text,
                row->room > 0 ? row->room : sizeof text);
        assert_string_equal(text, row->text);
}

static void format_others(void **state)
{
        (void)state;
        char text[ADDRESS_TEXT_SIZE];
        const struct address none = { .given = true };
        const struct address odd = { .given = true, .size = 3, .storage.ss_family = AF_INET };
        struct address netlink = { .given = true, .size = sizeof(struct sockaddr_nl) };
        const struct sockaddr_nl bytes = { .nl_family = AF_NETLINK, .nl_pid = 5, .nl_groups = 255 };
        memcpy(&netlink.storage, &bytes, sizeof bytes);
        assert_string_equal(address_format(&none, text, sizeof text), "no address");
        assert_string_equal(address_format(&odd, text, sizeof text), "family 2, 3 bytes");
        assert_string_equal(address_format(&netlink, text, sizeof text), "netlink:pid 5, groups 0xff");
        for (size_t room = 1; room < 30; room++)
                assert_true(strlen(address_format(&netlink, text, room)) < room);
}

/* A path that the kernel gives without its NUL fills the struct and more. */
static void format_whole_storage(void **state)
{
        (void)state;
        char text[4 * sizeof(struct sockaddr_storage) + 16];
        struct address address = { .given = true };
        memset(&address.storage, 0xee, sizeof address.storage);
        address.storage.ss_family = AF_UNIX;
        for (socklen_t size = 0; size <= sizeof address.storage; size++) {
                address.size = size;
                for (size_t room = 1; room < sizeof text; room += 7)
                        assert_true(strlen(address_format(&address, text, room)) < room);
        }
}

/* What does not fit is left out between characters, before the port. */
static void format_long_name(void **state)
{
        char host[512] = "", text[64];
        struct address address;
        (void)state;
        for (int i = 0; i < 60; i++)
                strcat(host, "\xc2\xa4");
        assert_int_equal(address_from_host(AF_UNSPEC, host, 80, &address).kind, RESULT_DONE);
        for (size_t room = 4; room <= sizeof text; room++) {
                const size_t size = strlen(address_format(&address, text, room));
                assert_true(size < room && size + 2 >= room);
                assert_int_equal(size % 2, 1);
                assert_string_equal(text + size - 3, ":80");
        }
        address_format(&address, text, 3);
        assert_true(strlen(text) < 3);
}

int main(void)
{
        static struct row_tests all;
        ROWS_ADD(&all, parse, parse_rows);
        ROWS_ADD(&all, host, host_rows);
        ROWS_ADD(&all, escape, escape_rows);
        rows_add_one(&all, "unix bytes", unix_bytes);
        rows_add_one(&all, "fit", fit);
        rows_add_one(&all, "format others", format_others);
        rows_add_one(&all, "format whole storage", format_whole_storage);
        rows_add_one(&all, "format a long name", format_long_name);
        return rows_run("address", &all);
}
