/* page.h: the files that a browser gets without a token: the page at /, the API reference, and what they
 * load. */
#pragma once

#include <microhttpd.h>
#include <stddef.h>
#include <stdint.h>

struct page_file {
        const char *path, *media;
        const char *hash;              /* of the bytes */
        const uint8_t *bytes, *packed; /* as they are, and as gzip has them */
        size_t size, packed_size;
};

/* All of them, from the sources in daemon/page/. */
extern const struct page_file page_files[];
extern const size_t page_file_count;

/* NULL: the path is none of theirs. */
const struct page_file *page_find(const char *path);

/* The reply to a browser that takes these codings (Accept-Encoding) and has kept copies with these tags
 * (If-None-Match); each may be NULL. *status becomes 200 or 304. NULL without memory. */
struct MHD_Response *page_response(
        const struct page_file *file, const char *codings, const char *kept, int *status);
