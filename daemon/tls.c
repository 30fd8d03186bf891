/* tls.c: TLS on the TCP listeners: certificates, what is asked of clients, and who they are.
 *
 * What the files hold is read into papers, which are counted: the current ones are handed to each session
 * before its handshake, and a session keeps its own to its end. Reloading makes new ones the current, so that
 * connections that there are, and what is parked on them, go on.
 *
 * Sessions are never resumed (no tickets, no cache): each handshake looks at the client's certificate anew.
 */
#include "daemon/tls.h"

#include <errno.h>
#include <gnutls/x509.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "daemon/identity.h"
#include "daemon/log.h"
#include "daemon/secret.h"
#include "daemon/sockets/address.h"
#include "daemon/sockets/cleanup.h"

const char tls_priorities[] = "SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-RSA:-AES-256-CBC:-AES-128-CBC";

struct tls_papers {
        _Atomic unsigned references;
        gnutls_certificate_credentials_t credentials;
        bool asks_clients;
};

struct tls {
        struct tls_files files;
        pthread_mutex_t lock; /* guards `current`, and its being counted */
        struct tls_papers *current;
};

void tls_release(struct tls_papers *papers)
{
        if (papers == NULL || --papers->references > 0)
                return;
        gnutls_certificate_free_credentials(papers->credentials);
        free(papers);
}

static void cleanup_papers(struct tls_papers *const *papers)
{
        tls_release(*papers);
}
#define papers_auto __attribute__((cleanup(cleanup_papers)))

static void cleanup_datum(const gnutls_datum_t *datum)
{
        gnutls_free(datum->data);
}
#define datum_auto __attribute__((cleanup(cleanup_datum)))

static bool complain(const char *path, const char *why)
{
        log_write(LOG_LEVEL_ERROR, "%s: %s", path, why);
        return false;
}

static bool load_file(const char *path, gnutls_datum_t *out)
{
        errno = 0;
        if (gnutls_load_file(path, out) == GNUTLS_E_SUCCESS)
                return true;
        return complain(path, errno == 0 ? "cannot be read" : strerror(errno));
}

static void warn_if_expired(const struct tls_papers *papers, const char *path)
{
        gnutls_x509_crt_t *chain = NULL;
        unsigned count = 0;
        if (gnutls_certificate_get_x509_crt(papers->credentials, 0, &chain, &count) != GNUTLS_E_SUCCESS)
                return;
        if (count > 0 && gnutls_x509_crt_get_expiration_time(chain[0]) < time(NULL))
                log_write(LOG_LEVEL_WARNING, "%s: the certificate has expired", path);
        for (unsigned i = 0; i < count; i++)
                gnutls_x509_crt_deinit(chain[i]);
        gnutls_free(chain);
}

static bool load_certificate(struct tls_papers *papers, const struct tls_files *files)
{
        gnutls_datum_t certificate datum_auto = { .data = NULL };
        if (!load_file(files->certificate, &certificate))
                return false;
        char *key secret_auto = secret_read(files->key, 0);
        if (key == NULL)
                return false;
        const gnutls_datum_t key_datum = { .data = (unsigned char *)key, .size = (unsigned)strlen(key) };
        /* It also checks that the two belong together. */
        const int error = gnutls_certificate_set_x509_key_mem2(
                papers->credentials, &certificate, &key_datum, GNUTLS_X509_FMT_PEM, NULL, 0);
        if (error < 0) {
                log_write(LOG_LEVEL_ERROR, "%s with the key %s: %s", files->certificate, files->key,
                        gnutls_strerror(error));
                return false;
        }
        warn_if_expired(papers, files->certificate);
        return true;
}

static bool load_authority(struct tls_papers *papers, const char *path)
{
        gnutls_datum_t authority datum_auto = { .data = NULL };
        if (!load_file(path, &authority))
                return false;
        const int count =
                gnutls_certificate_set_x509_trust_mem(papers->credentials, &authority, GNUTLS_X509_FMT_PEM);
        if (count <= 0)
                return complain(path, count == 0 ? "holds no certificate" : gnutls_strerror(count));
        papers->asks_clients = true;
        return true;
}

static struct tls_papers *papers_load(const struct tls_files *files)
{
        struct tls_papers *papers papers_auto = calloc(1, sizeof *papers);
        if (papers == NULL)
                return NULL;
        papers->references = 1;
        if (gnutls_certificate_allocate_credentials(&papers->credentials) != GNUTLS_E_SUCCESS ||
                !load_certificate(papers, files) ||
                (files->client_authority != NULL && !load_authority(papers, files->client_authority)))
                return NULL;
        return TAKE(papers);
}

bool tls_reload(struct tls *tls)
{
        if (tls == NULL)
                return true;
        struct tls_papers *const loaded = papers_load(&tls->files);
        if (loaded == NULL)
                return false;
        pthread_mutex_lock(&tls->lock);
        struct tls_papers *const old = tls->current;
        tls->current = loaded;
        pthread_mutex_unlock(&tls->lock);
        tls_release(old);
        return true;
}

struct tls *tls_new(const struct tls_files *files)
{
        struct tls *const tls = calloc(1, sizeof *tls);
        if (tls == NULL)
                return NULL;
        tls->files = *files;
        pthread_mutex_init(&tls->lock, NULL);
        if (tls_reload(tls))
                return tls;
        tls_free(tls);
        return NULL;
}

void tls_free(struct tls *tls)
{
        if (tls == NULL)
                return;
        tls_release(tls->current);
        pthread_mutex_destroy(&tls->lock);
        free(tls);
}

/* Says why to the log and to the client: libmicrohttpd only hangs up. seccomp: getpeername */
static void refuse(gnutls_session_t session, gnutls_alert_description_t alert, const char *why)
{
        struct address peer = { .size = sizeof peer.storage };
        char text[ADDRESS_TEXT_SIZE] = "?";
        if (getpeername(gnutls_transport_get_int(session), (struct sockaddr *)&peer.storage, &peer.size) == 0)
                address_format(&peer, text, sizeof text);
        log_write(LOG_LEVEL_NOTICE, "TLS: refused %s: %s", text, why);
        gnutls_alert_send(session, GNUTLS_AL_FATAL, alert);
}

/* The first that fits is what the client is told. */
static const struct {
        unsigned status;
        gnutls_alert_description_t alert;
} alerts[] = {
        { GNUTLS_CERT_SIGNER_NOT_FOUND, GNUTLS_A_UNKNOWN_CA },
        { GNUTLS_CERT_EXPIRED, GNUTLS_A_CERTIFICATE_EXPIRED },
        { GNUTLS_CERT_PURPOSE_MISMATCH, GNUTLS_A_UNSUPPORTED_CERTIFICATE },
        { ~0U, GNUTLS_A_BAD_CERTIFICATE },
};

/* Runs within the handshake, once the client has shown a certificate; what is not 0 ends it. A server's
 * certificate is none for a client, though the same authority has issued both. */
static int verify_client(gnutls_session_t session)
{
        static unsigned char purpose[] = GNUTLS_KP_TLS_WWW_CLIENT;
        gnutls_typed_vdata_st usage = { .type = GNUTLS_DT_KEY_PURPOSE_OID, .data = purpose };
        gnutls_datum_t why datum_auto = { .data = NULL };
        unsigned status = GNUTLS_CERT_INVALID;
        size_t i = 0;
        const int error = gnutls_certificate_verify_peers(session, &usage, 1, &status);
        if (error == GNUTLS_E_SUCCESS && status == 0)
                return 0;
        while ((alerts[i].status & (status | GNUTLS_CERT_INVALID)) == 0)
                i++;
        gnutls_certificate_verification_status_print(status, GNUTLS_CRT_X509, &why, 0);
        refuse(session, alerts[i].alert, why.data == NULL ? "no good certificate" : (const char *)why.data);
        return GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR;
}

/* Runs when the client's certificates have come; none is a list of length 0. GnuTLS would end the handshake
 * too, but silently. */
static int require_client(gnutls_session_t session, unsigned type, unsigned when, unsigned incoming,
        const gnutls_datum_t *message)
{
        enum { EMPTY_SIZE_MAX = 4 };
        (void)type;
        (void)when;
        if (!incoming || message->size > EMPTY_SIZE_MAX)
                return GNUTLS_E_SUCCESS;
        const bool newest = gnutls_protocol_get_version(session) >= GNUTLS_TLS1_3;
        refuse(session, newest ? GNUTLS_A_CERTIFICATE_REQUIRED : GNUTLS_A_HANDSHAKE_FAILURE,
                "it shows no certificate");
        return GNUTLS_E_NO_CERTIFICATE_FOUND;
}

struct tls_papers *tls_begin(struct tls *tls, gnutls_session_t session)
{
        pthread_mutex_lock(&tls->lock);
        struct tls_papers *papers papers_auto = tls->current;
        papers->references++;
        pthread_mutex_unlock(&tls->lock);
        if (papers->asks_clients) {
                gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUIRE);
                gnutls_session_set_verify_function(session, verify_client);
                gnutls_handshake_set_hook_function(
                        session, GNUTLS_HANDSHAKE_CERTIFICATE_PKT, GNUTLS_HOOK_POST, require_client);
        }
        if (gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, papers->credentials) != GNUTLS_E_SUCCESS)
                return NULL;
        return TAKE(papers);
}

/* Two common names, or one that holds a NUL, are a name for whoever wants to be taken for another. */
static bool common_name(gnutls_x509_crt_t certificate, char *out, size_t *size)
{
        char second[2];
        size_t second_size = sizeof second;
        return gnutls_x509_crt_get_dn_by_oid(certificate, GNUTLS_OID_X520_COMMON_NAME, 0, 0, out, size) ==
                       GNUTLS_E_SUCCESS &&
               gnutls_x509_crt_get_dn_by_oid(certificate, GNUTLS_OID_X520_COMMON_NAME, 1, 0, second,
                       &second_size) == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE;
}

static bool has_common_name(gnutls_x509_crt_t certificate)
{
        size_t size = 0;
        return gnutls_x509_crt_get_dn_by_oid(certificate, GNUTLS_OID_X520_COMMON_NAME, 0, 0, NULL, &size) !=
               GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE;
}

static bool dns_name(gnutls_x509_crt_t certificate, char *out, size_t *size)
{
        const size_t room = *size;
        int type = GNUTLS_E_SUCCESS;
        for (unsigned i = 0; type >= 0; i++) {
                *size = room;
                type = gnutls_x509_crt_get_subject_alt_name(certificate, i, out, size, NULL);
                if (type == GNUTLS_SAN_DNSNAME)
                        return true;
        }
        return false;
}

static bool read_name(gnutls_x509_crt_t certificate, char *out, size_t out_size)
{
        size_t size = out_size;
        const bool found = has_common_name(certificate) ? common_name(certificate, out, &size)
                                                        : dns_name(certificate, out, &size);
        return found && size < out_size && memchr(out, '\0', size) == NULL && out[size] == '\0' &&
               identity_is_name(out);
}

bool tls_peer_name(gnutls_session_t session, char *out, size_t out_size)
{
        gnutls_x509_crt_t certificate;
        unsigned count = 0;
        out[0] = '\0';
        /* Clients that are not asked for a certificate cannot show one, and those that are get no further
         * than the handshake without one that verify_client() finds good. */
        const gnutls_datum_t *const chain = gnutls_certificate_get_peers(session, &count);
        if (chain == NULL || count == 0 || gnutls_x509_crt_init(&certificate) != GNUTLS_E_SUCCESS)
                return false;
        const bool found =
                gnutls_x509_crt_import(certificate, &chain[0], GNUTLS_X509_FMT_DER) == GNUTLS_E_SUCCESS &&
                read_name(certificate, out, out_size);
        gnutls_x509_crt_deinit(certificate);
        if (!found)
                out[0] = '\0';
        return found;
}

void tls_end_with(gnutls_session_t session, const char *bytes, size_t size)
{
        (void)!gnutls_record_send(session, bytes, size);
        gnutls_bye(session, GNUTLS_SHUT_WR);
}

int tls_no_certificate(gnutls_session_t session, const gnutls_datum_t *authorities, int authority_count,
        const gnutls_pk_algorithm_t *algorithms, int algorithm_count, gnutls_pcert_st **out,
        unsigned *out_count, gnutls_privkey_t *out_key)
{
        (void)session;
        (void)authorities;
        (void)authority_count;
        (void)algorithms;
        (void)algorithm_count;
        (void)out;
        (void)out_count;
        (void)out_key;
        return -1;
}
