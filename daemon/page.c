/* page.c: from a file of the page to the reply that carries it. */
#include "daemon/page.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "daemon/header.h"

/* The page loads nothing from elsewhere, runs no script but its own, and can make no markup of text. */
static const struct {
        const char *name, *value;
} headers[] = {
        { "Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; connect-src "
                                     "'self'; img-src 'self'; "
                                     "base-uri 'none'; frame-ancestors 'none'; form-action 'none'; "
                                     "require-trusted-types-for 'script'; trusted-types 'none'" },
        { "Cross-Origin-Resource-Policy", "same-origin" },
        { "Cache-Control", "no-cache" },
        { "Vary", "Accept-Encoding" },
};

const struct page_file *page_find(const char *path)
{
        for (size_t i = 0; i < page_file_count; i++)
                if (strcmp(path, page_files[i].path) == 0)
                        return &page_files[i];
        return NULL;
}

/* Whether gzip is among the codings, and not as "gzip;q=0". */
static bool takes_gzip(const char *codings)
{
        for (const char *coding = codings; coding != NULL; coding = strchr(coding, ',')) {
                coding += strspn(coding, ", \t");
                if (!media_is(coding, "gzip"))
                        continue;
                const char *weight = coding + 4;
                weight += strspn(weight, "; \t");
                return strncasecmp(weight, "q=0", 3) != 0 || weight[3 + strspn(weight + 3, ".0")] > '0';
        }
        return false;
}

struct MHD_Response *page_response(
        const struct page_file *file, const char *codings, const char *kept, int *status)
{
        const bool packed = takes_gzip(codings);
        char tag[64];
        snprintf(tag, sizeof tag, "\"%s%s\"", file->hash, packed ? "-gzip" : "");
        const bool is_kept = kept != NULL && strstr(kept, tag) != NULL;
        const uint8_t *const bytes = packed ? file->packed : file->bytes;
        const size_t size = packed ? file->packed_size : file->size;
        /* The library does not write to what is persistent. */
        struct MHD_Response *const response = MHD_create_response_from_buffer(
                is_kept ? 0 : size, (void *)(uintptr_t)bytes, MHD_RESPMEM_PERSISTENT);
        if (response == NULL)
                return NULL;
        for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
                MHD_add_response_header(response, headers[i].name, headers[i].value);
        MHD_add_response_header(response, "Content-Type", file->media);
        MHD_add_response_header(response, "ETag", tag);
        if (packed)
                MHD_add_response_header(response, "Content-Encoding", "gzip");
        *status = is_kept ? 304 : 200;
        return response;
}
