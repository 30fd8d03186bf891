/* papers.c: certificates of an authority of our own, made anew for each test. */
#include "tests/http/papers.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/http/check.h"

enum { DAY_S = 86400, PEM_SIZE = 8192, SERIAL_SIZE = 8 };

struct authority {
        const char *directory;
        gnutls_x509_crt_t certificate;
        gnutls_x509_privkey_t key;
};

static void good(int error)
{
        if (error < 0)
                fail_msg("GnuTLS: %s", gnutls_strerror(error));
}

static gnutls_x509_privkey_t key_new(void)
{
        gnutls_x509_privkey_t key;
        good(gnutls_x509_privkey_init(&key));
        good(gnutls_x509_privkey_generate(
                key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0));
        return key;
}

static gnutls_x509_crt_t certificate_new(gnutls_x509_privkey_t key, time_t from, time_t until)
{
        static unsigned char serial[SERIAL_SIZE] = { 1 };
        gnutls_x509_crt_t certificate;
        serial[SERIAL_SIZE - 1]++;
        good(gnutls_x509_crt_init(&certificate));
        good(gnutls_x509_crt_set_version(certificate, 3));
        good(gnutls_x509_crt_set_key(certificate, key));
        good(gnutls_x509_crt_set_serial(certificate, serial, sizeof serial));
        good(gnutls_x509_crt_set_activation_time(certificate, from));
        good(gnutls_x509_crt_set_expiration_time(certificate, until));
        return certificate;
}

static void add_name(gnutls_x509_crt_t certificate, const char *name, size_t size)
{
        if (name)
                good(gnutls_x509_crt_set_dn_by_oid(certificate, GNUTLS_OID_X520_COMMON_NAME, 0, name,
                        (unsigned)(size ? size : strlen(name))));
}

static void file_write(const char *directory, const char *name, const char *suffix, const char *text)
{
        char path[256], new[264];
        snprintf(path, sizeof path, "%s/%s.%s", directory, name, suffix);
        snprintf(new, sizeof new, "%s.new", path);
        const int fd = open(new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        assert_return_code(fd, errno);
        assert_int_equal(write(fd, text, strlen(text)), strlen(text));
        close(fd);
        assert_return_code(rename(new, path), errno);
}

static void certificate_write(gnutls_x509_crt_t certificate, const char *directory, const char *name)
{
        char text[PEM_SIZE];
        size_t size = sizeof text;
        good(gnutls_x509_crt_export(certificate, GNUTLS_X509_FMT_PEM, text, &size));
        file_write(directory, name, "crt", text);
}

static void key_write(gnutls_x509_privkey_t key, const char *directory, const char *name)
{
        char text[PEM_SIZE];
        size_t size = sizeof text;
        good(gnutls_x509_privkey_export(key, GNUTLS_X509_FMT_PEM, text, &size));
        file_write(directory, name, "key", text);
}

struct authority *authority_new(const char *directory, const char *name)
{
        struct authority *const authority = calloc(1, sizeof *authority);
        assert_non_null(authority);
        const time_t now = time(NULL);
        authority->directory = directory;
        authority->key = key_new();
        authority->certificate = certificate_new(authority->key, now - DAY_S, now + DAY_S);
        add_name(authority->certificate, name, 0);
        good(gnutls_x509_crt_set_ca_status(authority->certificate, 1));
        good(gnutls_x509_crt_set_key_usage(authority->certificate, GNUTLS_KEY_KEY_CERT_SIGN));
        good(gnutls_x509_crt_sign2(
                authority->certificate, authority->certificate, authority->key, GNUTLS_DIG_SHA256, 0));
        certificate_write(authority->certificate, directory, name);
        return authority;
}

void authority_free(struct authority *authority)
{
        if (!authority)
                return;
        gnutls_x509_crt_deinit(authority->certificate);
        gnutls_x509_privkey_deinit(authority->key);
        free(authority);
}

static void add_alternatives(gnutls_x509_crt_t certificate, const struct paper *paper)
{
        const struct in_addr loopback = { .s_addr = htonl(INADDR_LOOPBACK) };
        if (paper->server) {
                good(gnutls_x509_crt_set_subject_alt_name(
                        certificate, GNUTLS_SAN_IPADDRESS, &loopback, sizeof loopback, GNUTLS_FSAN_APPEND));
                good(gnutls_x509_crt_set_subject_alt_name(
                        certificate, GNUTLS_SAN_DNSNAME, "localhost", 9, GNUTLS_FSAN_APPEND));
        }
        if (paper->dns_name)
                good(gnutls_x509_crt_set_subject_alt_name(certificate, GNUTLS_SAN_DNSNAME, paper->dns_name,
                        (unsigned)strlen(paper->dns_name), GNUTLS_FSAN_APPEND));
}

void authority_issue(const struct authority *authority, const struct paper *paper)
{
        const time_t now = time(NULL);
        gnutls_x509_privkey_t key = key_new();
        gnutls_x509_crt_t certificate = certificate_new(
                key, now - 2 * (time_t)DAY_S, paper->expired ? now - (time_t)DAY_S : now + (time_t)DAY_S);
        add_name(certificate, paper->common_name, paper->common_name_size);
        add_name(certificate, paper->second_common_name, 0);
        add_alternatives(certificate, paper);
        good(gnutls_x509_crt_set_key_usage(certificate, GNUTLS_KEY_DIGITAL_SIGNATURE));
        if (!paper->unlimited)
                good(gnutls_x509_crt_set_key_purpose_oid(
                        certificate, paper->server ? GNUTLS_KP_TLS_WWW_SERVER : GNUTLS_KP_TLS_WWW_CLIENT, 0));
        good(gnutls_x509_crt_sign2(
                certificate, authority->certificate, authority->key, GNUTLS_DIG_SHA256, 0));
        certificate_write(certificate, authority->directory, paper->file);
        key_write(key, authority->directory, paper->file);
        gnutls_x509_crt_deinit(certificate);
        gnutls_x509_privkey_deinit(key);
}
