/* tls.h: TLS on the TCP listeners: certificates, what is asked of clients, and who they are. */
#pragma once

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <stdbool.h>
#include <stddef.h>

struct tls;

/* Paths of PEM files, which must outlive what is made of them. */
struct tls_files {
        const char *certificate;      /* with those that lead to its root */
        const char *key;              /* which nobody else may read */
        const char *client_authority; /* who certifies clients, that must show a certificate then; or NULL */
};

/* Reads the files. NULL after logging why. */
struct tls *tls_new(const struct tls_files *files);

/* Reads them again, for connections to come. False after logging why: all stays as it was. Accepts NULL. */
bool tls_reload(struct tls *tls);

/* When no connection is left. Accepts NULL. */
void tls_free(struct tls *tls);

/* What a connection was begun with, which it keeps to its end whatever is reloaded meanwhile. */
struct tls_papers;

/* Makes a new session, whose handshake has not begun, one of ours. To be released when the session has ended.
 * NULL when that fails: no handshake can succeed then. Safe from any thread. */
struct tls_papers *tls_begin(struct tls *tls, gnutls_session_t session);
void tls_release(struct tls_papers *papers);

/* The name in the certificate that the client has shown, which was verified in the handshake: the subject's
 * common name or, where it has none, the first DNS name. False when there is none, or one that could be
 * misread: out is then "". */
bool tls_peer_name(gnutls_session_t session, char *out, size_t out_size);

/* Sends at once what fits, and ends the session. */
void tls_end_with(gnutls_session_t session, const char *bytes, size_t size);

/* For libmicrohttpd, which wants to have them of its own: TLS 1.3, and 1.2 with forward secrecy and
 * authenticated ciphers alone; and no certificate, so that only those sessions come to be that tls_begin()
 * has seen. */
extern const char tls_priorities[];
int tls_no_certificate(gnutls_session_t session, const gnutls_datum_t *authorities, int authority_count,
        const gnutls_pk_algorithm_t *algorithms, int algorithm_count, gnutls_pcert_st **out,
        unsigned *out_count, gnutls_privkey_t *out_key);
