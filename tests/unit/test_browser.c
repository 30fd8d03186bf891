/* test_browser.c: which Hosts and Origins are let in, and which may be allowed at all. */
#include "daemon/browser.h"

#include "tests/unit/rows.h"

static const struct text_list origins = {
        .items = { "https://dash.example:8443", "http://lab.example", "http://[2001:db8::1]:80" }, .count = 3
};
static const struct text_list names = { .items = { "lab-7.example" }, .count = 1 };
static const struct text_list nothing = { .count = 0 };

static const struct host_row {
        const char *name, *host;
        bool own;
} host_rows[] = {
        { "localhost", "localhost", true },
        { "in capitals", "LocalHost", true },
        { "with a port", "localhost:7625", true },
        { "IPv4", "192.0.2.1:1", true },
        { "IPv6", "[::1]:7625", true },
        { "IPv6 without brackets", "::1", false },
        { "a name that was allowed", "lab-7.example:7625", true },
        { "a name that was not", "lab-8.example", false },
        { "one behind localhost", "localhost.evil.example", false },
        { "one before localhost", "evil.localhost", false },
        { "an address and more", "127.0.0.1.evil.example", false },
        { "a decimal address", "2130706433", false },
        { "a short address", "127.1", false },
        { "two ports", "localhost:1:2", false },
        { "a port of letters", "localhost:http", false },
        { "a user", "localhost@evil.example", false },
        { "empty", "", false },
        { "a port alone", ":80", false },
        { "an open bracket", "[::1", false },
        { "digits right behind the bracket", "[::1]80", false },
        { "a name in brackets", "[localhost]", false },
        { "IPv4 in brackets", "[127.0.0.1]", false },
        { "none", NULL, false },
};

static void knows_hosts(void **state)
{
        const struct host_row *const row = *state;
        assert_true(browser_allow(&origins, &names));
        assert_int_equal(host_is_own(row->host), row->own);
}

static const struct origin_row {
        const char *name, *origin, *host;
        bool tls, allowed;
} origin_rows[] = {
        { "on the list", "https://dash.example:8443", "localhost", false, true },
        { "in capitals", "HTTPS://Dash.Example:8443", "localhost", false, true },
        { "of another scheme", "http://dash.example:8443", "localhost", false, false },
        { "of another port", "https://dash.example:8444", "localhost", false, false },
        { "without its port", "https://dash.example", "localhost", false, false },
        { "on the list, without a port", "http://lab.example", "localhost", false, true },
        { "a name within it", "http://evil.lab.example", "localhost", false, false },
        { "a name behind it", "http://lab.example.evil.example", "localhost", false, false },
        { "IPv6", "http://[2001:db8::1]:80", "localhost", false, true },
        { "the daemon's own", "http://127.0.0.1:7625", "127.0.0.1:7625", false, true },
        { "the daemon's own, by TLS", "https://127.0.0.1:7625", "127.0.0.1:7625", true, true },
        { "the daemon's own without TLS, to TLS", "http://127.0.0.1:7625", "127.0.0.1:7625", true, false },
        { "the same host, another port", "http://127.0.0.1:8080", "127.0.0.1:7625", false, false },
        { "a rebound name", "http://evil.example:7625", "evil.example:7625", false, false },
        { "null", "null", "localhost", false, false },
        { "empty", "", "localhost", false, false },
        { "any", "*", "localhost", false, false },
        { "without a host", "http://lab.example:1", NULL, false, false },
};

static void knows_origins(void **state)
{
        const struct origin_row *const row = *state;
        assert_true(browser_allow(&origins, &names));
        assert_int_equal(origin_is_allowed(row->origin, row->host, row->tls), row->allowed);
}

static const struct option_row {
        const char *name, *origin, *host; /* either may be NULL */
        bool sound;
} option_rows[] = {
        { "an origin", "https://dash.example", NULL, true },
        { "an origin with a port", "https://dash.example:8443", NULL, true },
        { "an origin of IPv6", "https://[::1]:8443", NULL, true },
        { "an extension's", "moz-extension://0a1b2c", NULL, true },
        { "null as origin", "null", NULL, false },
        { "any origin", "*", NULL, false },
        { "any host", "https://*.example", NULL, false },
        { "a URL", "https://dash.example/", NULL, false },
        { "a host alone", "dash.example", NULL, false },
        { "no host", "https://", NULL, false },
        { "no scheme", "://dash.example", NULL, false },
        { "no port", "https://dash.example:", NULL, false },
        { "a port of letters", "https://dash.example:https", NULL, false },
        { "an open bracket in an origin", "https://[::1", NULL, false },
        { "a host", NULL, "lab-7.example", true },
        { "a host with a port", NULL, "lab-7.example:80", false },
        { "any name", NULL, "*", false },
};

static void checks_options(void **state)
{
        const struct option_row *const row = *state;
        const struct text_list origin = { .items = { row->origin }, .count = row->origin != NULL };
        const struct text_list host = { .items = { row->host }, .count = row->host != NULL };
        assert_int_equal(browser_allow(&origin, &host), row->sound);
        assert_true(browser_allow(&nothing, &nothing));
}

int main(void)
{
        static struct row_tests all;
        ROWS_ADD(&all, knows_hosts, host_rows);
        ROWS_ADD(&all, knows_origins, origin_rows);
        ROWS_ADD(&all, checks_options, option_rows);
        return rows_run("browser", &all);
}
