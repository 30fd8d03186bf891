/* papers.h: certificates of an authority of our own, made anew for each test. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* What is to be certified. Files are DIRECTORY/FILE.crt and, mode 0600, DIRECTORY/FILE.key. */
struct paper {
        const char *file;
        const char *common_name; /* NULL: none */
        size_t common_name_size; /* 0: it is a string */
        const char *second_common_name;
        const char *dns_name;
        bool server; /* good for 127.0.0.1 and localhost, and for no client */
        bool expired;
        bool unlimited; /* says of neither server nor client that it is for them */
};

struct authority;

/* Makes one, and DIRECTORY/NAME.crt. `directory` must live on. */
struct authority *authority_new(const char *directory, const char *name);
void authority_free(struct authority *authority);

/* Makes a key, and a certificate that names this authority as its issuer. */
void authority_issue(const struct authority *authority, const struct paper *paper);
