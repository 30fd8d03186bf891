/* test_tls.c: who may shake hands, by which name a certificate makes its client known, and what is reloaded.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/log.h"
#include "daemon/tls.h"
#include "tests/http/daemon.h"
#include "tests/http/papers.h"
#include "tests/unit/rows.h"

static char directory[] = "/tmp/sockwright-tls.XXXXXX";
static struct authority *own, *foreign;

static const char *path_of(const char *file, const char *suffix)
{
        static char paths[4][64];
        static size_t next;
        char *const path = paths[next++ % 4];
        snprintf(path, sizeof *paths, "%s/%s.%s", directory, file, suffix);
        return path;
}

/* Both ends of a connection, in one thread. */
struct meeting {
        int fds[2];
        gnutls_session_t server, client;
        struct tls_papers *papers;
        gnutls_certificate_credentials_t shown; /* by the client */
};

static gnutls_session_t session_new(unsigned flags, int fd, const char *priorities)
{
        gnutls_session_t session;
        assert_int_equal(gnutls_init(&session, flags | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL), 0);
        assert_int_equal(gnutls_priority_set_direct(session, priorities, NULL), 0);
        gnutls_transport_set_int(session, fd);
        return session;
}

static void meet(struct meeting *out, struct tls *tls, const char *paper, const char *client_priorities)
{
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, out->fds), 0);
        out->server = session_new(GNUTLS_SERVER, out->fds[0], tls_priorities);
        out->client = session_new(GNUTLS_CLIENT | GNUTLS_FORCE_CLIENT_CERT, out->fds[1], client_priorities);
        out->papers = tls_begin(tls, out->server);
        assert_non_null(out->papers);
        assert_int_equal(gnutls_certificate_allocate_credentials(&out->shown), 0);
        if (paper != NULL)
                assert_int_equal(gnutls_certificate_set_x509_key_file(out->shown, path_of(paper, "crt"),
                                         path_of(paper, "key"), GNUTLS_X509_FMT_PEM),
                        0);
        assert_int_equal(gnutls_credentials_set(out->client, GNUTLS_CRD_CERTIFICATE, out->shown), 0);
}

static void part(struct meeting *meeting)
{
        gnutls_deinit(meeting->server);
        gnutls_deinit(meeting->client);
        tls_release(meeting->papers);
        gnutls_certificate_free_credentials(meeting->shown);
        close(meeting->fds[0]);
        close(meeting->fds[1]);
}

/* What the server's end comes to. */
static int shake_hands(struct meeting *meeting)
{
        int server = GNUTLS_E_AGAIN, client = GNUTLS_E_AGAIN;
        while (server == GNUTLS_E_AGAIN || client == GNUTLS_E_AGAIN) {
                if (client == GNUTLS_E_AGAIN)
                        client = gnutls_handshake(meeting->client);
                if (server == GNUTLS_E_AGAIN)
                        server = gnutls_handshake(meeting->server);
                if (server != GNUTLS_E_AGAIN && server != GNUTLS_E_SUCCESS)
                        return server;
                if (client != GNUTLS_E_AGAIN && client != GNUTLS_E_SUCCESS)
                        return client;
        }
        return GNUTLS_E_SUCCESS;
}

static const struct paper papers[] = {
        { .file = "server", .common_name = "server", .server = true },
        { .file = "ci", .common_name = "ci" },
        { .file = "rack", .common_name = "rack-7.lab_2" },
        { .file = "unlimited", .common_name = "unlimited", .unlimited = true },
        { .file = "dns", .dns_name = "host.example" },
        { .file = "both", .common_name = "common", .dns_name = "host.example" },
        { .file = "blank", .common_name = "c i" },
        { .file = "empty", .common_name = " " },
        { .file = "star", .dns_name = "*.example" },
        { .file = "line", .common_name = "ci\nlab" },
        { .file = "nul", .common_name = "ci\0.evil", .common_name_size = 8 },
        { .file = "two", .common_name = "ci", .second_common_name = "lab" },
        { .file = "long", .common_name = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijkl" },
        { .file = "nameless" },
        { .file = "expired", .common_name = "ci", .expired = true },
};

static const struct paper foreign_paper = { .file = "foreign", .common_name = "ci" };

#define ANY "NORMAL"
#define TLS12 "NORMAL:-VERS-ALL:+VERS-TLS1.2"
#define TLS13 "NORMAL:-VERS-ALL:+VERS-TLS1.3"

static const struct guest {
        const char *name, *paper, *priorities, *is; /* "": known by no name */
} guests[] = {
        { "a name", "ci", ANY, "ci" },
        { "a name, TLS 1.2", "ci", TLS12, "ci" },
        { "a name, TLS 1.3", "ci", TLS13, "ci" },
        { "a name of all that may be in one", "rack", ANY, "rack-7.lab_2" },
        { "a certificate for any purpose", "unlimited", ANY, "unlimited" },
        { "a DNS name", "dns", ANY, "host.example" },
        { "the common name comes first", "both", ANY, "common" },
        { "a name with a blank", "blank", ANY, "" },
        { "a name of blanks", "empty", ANY, "" },
        { "a wildcard", "star", ANY, "" },
        { "a name of two lines", "line", ANY, "" },
        { "a name with a NUL", "nul", ANY, "" },
        { "two names", "two", ANY, "" },
        { "a name too long", "long", ANY, "" },
        { "no name", "nameless", ANY, "" },
};

/* The daemon's end says why: it is not the client that gives up. */
static const struct intruder {
        const char *name, *paper, *priorities;
        int error;
} intruders[] = {
        { "no certificate", NULL, TLS12, GNUTLS_E_NO_CERTIFICATE_FOUND },
        { "no certificate, TLS 1.3", NULL, TLS13, GNUTLS_E_NO_CERTIFICATE_FOUND },
        { "expired", "expired", TLS12, GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR },
        { "expired, TLS 1.3", "expired", TLS13, GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR },
        { "of another authority", "foreign", TLS12, GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR },
        { "of another authority, TLS 1.3", "foreign", TLS13, GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR },
        { "a server's", "server", TLS12, GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR },
        { "a server's, TLS 1.3", "server", TLS13, GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR },
        { "TLS 1.1", "ci", "NORMAL:-VERS-ALL:+VERS-TLS1.1:%VERIFY_ALLOW_SIGN_WITH_SHA1",
                GNUTLS_E_UNSUPPORTED_VERSION_PACKET },
        { "TLS 1.0", "ci", "NORMAL:-VERS-ALL:+VERS-TLS1.0:%VERIFY_ALLOW_SIGN_WITH_SHA1",
                GNUTLS_E_UNSUPPORTED_VERSION_PACKET },
        { "no forward secrecy", "ci", "NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+RSA",
                GNUTLS_E_NO_CIPHER_SUITES },
        { "CBC", "ci", "NORMAL:-VERS-ALL:+VERS-TLS1.2:-CIPHER-ALL:+AES-128-CBC", GNUTLS_E_NO_CIPHER_SUITES },
};

struct place {
        char certificate[64], key[64], authority[64];
        struct tls_files files;
};

static void place_set(struct place *out, const char *paper, const char *authority)
{
        snprintf(out->certificate, sizeof out->certificate, "%s", path_of(paper, "crt"));
        snprintf(out->key, sizeof out->key, "%s", path_of(paper, "key"));
        snprintf(out->authority, sizeof out->authority, "%s", path_of(authority, "crt"));
        out->files = (struct tls_files){ out->certificate, out->key, out->authority };
}

static void check_guest(void **state)
{
        const struct guest *const guest = *state;
        struct place place;
        place_set(&place, "server", "own");
        struct tls *const tls = tls_new(&place.files);
        assert_non_null(tls);
        struct meeting meeting = { 0 };
        char name[64];
        meet(&meeting, tls, guest->paper, guest->priorities);
        assert_int_equal(shake_hands(&meeting), GNUTLS_E_SUCCESS);
        assert_int_equal(tls_peer_name(meeting.server, name, sizeof name), guest->is[0] != '\0');
        assert_string_equal(name, guest->is);
        part(&meeting);
        tls_free(tls);
}

static void check_intruder(void **state)
{
        const struct intruder *const intruder = *state;
        struct place place;
        place_set(&place, "server", "own");
        struct tls *const tls = tls_new(&place.files);
        struct meeting meeting = { 0 };
        assert_non_null(tls);
        meet(&meeting, tls, intruder->paper, intruder->priorities);
        const int error = shake_hands(&meeting);
        if (error != intruder->error)
                fail_msg("%d, %s", error, gnutls_strerror(error));
        part(&meeting);
        tls_free(tls);
}

/* Who is not asked shows nothing, though it has something to show. */
static void check_unasked(void **state)
{
        (void)state;
        struct place place;
        place_set(&place, "server", "own");
        place.files.client_authority = NULL;
        struct tls *const tls = tls_new(&place.files);
        struct meeting meeting = { 0 };
        char name[64] = "x";
        assert_non_null(tls);
        meet(&meeting, tls, "ci", ANY);
        assert_int_equal(shake_hands(&meeting), GNUTLS_E_SUCCESS);
        assert_false(tls_peer_name(meeting.server, name, sizeof name));
        assert_string_equal(name, "");
        part(&meeting);
        tls_free(tls);
}

/* The serial number tells the server's certificates apart. */
static void serial_of(struct meeting *meeting, unsigned char out[static 8])
{
        gnutls_x509_crt_t certificate;
        unsigned count;
        size_t size = 8;
        const gnutls_datum_t *const chain = gnutls_certificate_get_peers(meeting->client, &count);
        assert_non_null(chain);
        assert_int_equal(gnutls_x509_crt_init(&certificate), 0);
        assert_int_equal(gnutls_x509_crt_import(certificate, &chain[0], GNUTLS_X509_FMT_DER), 0);
        assert_int_equal(gnutls_x509_crt_get_serial(certificate, out, &size), 0);
        gnutls_x509_crt_deinit(certificate);
}

/* A session that was begun before a reload goes on with what it began with, and is the last to hold it. */
static void check_reload(void **state)
{
        (void)state;
        struct place place;
        place_set(&place, "server", "own");
        struct tls *const tls = tls_new(&place.files);
        assert_non_null(tls);
        struct meeting before = { 0 }, after = { 0 };
        unsigned char old[8], new[8];
        meet(&before, tls, "ci", ANY);
        authority_issue(own, &papers[0]);
        assert_true(tls_reload(tls));
        meet(&after, tls, "ci", ANY);
        assert_int_equal(shake_hands(&before), GNUTLS_E_SUCCESS);
        assert_int_equal(shake_hands(&after), GNUTLS_E_SUCCESS);
        serial_of(&before, old);
        serial_of(&after, new);
        assert_memory_not_equal(old, new, sizeof old);
        tls_free(tls);
        part(&before);
        part(&after);
}

static void spoil(const char *file, const char *suffix, const char *text)
{
        const int fd = open(path_of(file, suffix), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        assert_int_equal(write(fd, text, strlen(text)), strlen(text));
        close(fd);
}

static void lose(const char *file, const char *suffix)
{
        assert_int_equal(unlink(path_of(file, suffix)), 0);
}

static void no_key(void)
{
        lose("spoiled", "key");
}

static void no_certificate(void)
{
        lose("spoiled", "crt");
}

static void no_authority(void)
{
        lose("clients", "crt");
}

static void shared_key(void)
{
        assert_int_equal(chmod(path_of("spoiled", "key"), 0640), 0);
}

static void other_key(void)
{
        assert_int_equal(rename(path_of("spare", "key"), path_of("spoiled", "key")), 0);
}

static void key_of_words(void)
{
        spoil("spoiled", "key", "no key\n");
}

static void certificate_of_words(void)
{
        spoil("spoiled", "crt", "no certificate\n");
}

static void authority_of_words(void)
{
        spoil("clients", "crt", "no certificate\n");
}

static void empty_authority(void)
{
        spoil("clients", "crt", "");
}

static void key_is_a_pipe(void)
{
        lose("spoiled", "key");
        assert_int_equal(mkfifo(path_of("spoiled", "key"), 0600), 0);
}

static const struct fault {
        const char *name;
        void (*make)(void);
} faults[] = {
        { "no key", no_key },
        { "no certificate", no_certificate },
        { "no authority", no_authority },
        { "a key that others may read", shared_key },
        { "another's key", other_key },
        { "a key that is none", key_of_words },
        { "a certificate that is none", certificate_of_words },
        { "an authority that is none", authority_of_words },
        { "an empty authority", empty_authority },
        { "a key that never ends", key_is_a_pipe },
};

/* Nothing can be begun with it; what was begun with better stays. */
static void check_fault(void **state)
{
        const struct fault *const fault = *state;
        const struct paper spoiled = { .file = "spoiled", .common_name = "server", .server = true };
        const struct paper spare = { .file = "spare", .common_name = "server", .server = true };
        struct authority *const clients = authority_new(directory, "clients");
        const struct paper guest = { .file = "guest", .common_name = "guest" };
        authority_issue(own, &spoiled);
        authority_issue(own, &spare);
        authority_issue(clients, &guest);
        struct place place;
        place_set(&place, "spoiled", "clients");
        struct tls *const tls = tls_new(&place.files);
        assert_non_null(tls);
        fault->make();
        assert_null(tls_new(&place.files));
        assert_false(tls_reload(tls));
        struct meeting meeting = { 0 };
        meet(&meeting, tls, "guest", ANY);
        assert_int_equal(shake_hands(&meeting), GNUTLS_E_SUCCESS);
        part(&meeting);
        tls_free(tls);
        authority_free(clients);
        unlink(place.key);
}

static void set_up(void)
{
        assert_non_null(mkdtemp(directory));
        own = authority_new(directory, "own");
        foreign = authority_new(directory, "another");
        for (size_t i = 0; i < sizeof papers / sizeof *papers; i++)
                authority_issue(own, &papers[i]);
        authority_issue(foreign, &foreign_paper);
}

static void tear_down(void)
{
        authority_free(own);
        authority_free(foreign);
        directory_remove(directory);
}

int main(void)
{
        struct row_tests all = { .count = 0 };
        set_up();
        ROWS_ADD(&all, check_guest, guests);
        ROWS_ADD(&all, check_intruder, intruders);
        rows_add_one(&all, "not asked", check_unasked);
        rows_add_one(&all, "reload", check_reload);
        ROWS_ADD(&all, check_fault, faults);
        const int failed = rows_run("tls", &all);
        tear_down();
        return failed;
}
