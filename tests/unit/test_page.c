/* test_page.c: which paths are files of the page, and which copy of one a browser is sent. */
#include "daemon/page.h"

#include <stdbool.h>

#include "tests/unit/rows.h"

static const struct path_row {
        const char *name, *path, *media; /* NULL: none of theirs */
} path_rows[] = {
        { "the page", "/", "text/html; charset=utf-8" },
        { "the reference", "/docs", "text/html; charset=utf-8" },
        { "the script", "/assets/app.js", "text/javascript; charset=utf-8" },
        { "the style", "/assets/style.css", "text/css; charset=utf-8" },
        { "the licences", "/assets/licenses.txt", "text/plain; charset=utf-8" },
        { "nothing", "", NULL },
        { "a slash behind", "/docs/", NULL },
        { "two slashes", "//", NULL },
        { "upwards", "/assets/../", NULL },
        { "the folder", "/assets/", NULL },
        { "in capitals", "/Docs", NULL },
        { "a call", "/v1/sockets", NULL },
};

static void finds(void **state)
{
        const struct path_row *const row = *state;
        const struct page_file *const file = page_find(row->path);
        assert_int_equal(file != NULL, row->media != NULL);
        if (file)
                assert_string_equal(file->media, row->media);
}

static const struct reply_row {
        const char *name, *codings, *kept; /* "{plain}" and "{gzip}" are the tags of the two copies */
        int status;
        bool packed;
} reply_rows[] = {
        { "no header", NULL, NULL, 200, false },
        { "gzip", "gzip", NULL, 200, true },
        { "as browsers send it", "gzip, deflate, br, zstd", NULL, 200, true },
        { "gzip, last", "br,gzip", NULL, 200, true },
        { "in capitals", "GZIP", NULL, 200, true },
        { "with a weight", "gzip;q=0.5", NULL, 200, true },
        { "with a small weight", "gzip;q=0.001", NULL, 200, true },
        { "with none", "gzip;q=0", NULL, 200, false },
        { "with none, in full", "deflate, gzip; q=0.000", NULL, 200, false },
        { "identity", "identity", NULL, 200, false },
        { "another name that begins so", "gzipped", NULL, 200, false },
        { "nothing but commas", " , ,", NULL, 200, false },
        { "empty", "", "", 200, false },
        { "kept", NULL, "{plain}", 304, false },
        { "kept, packed", "gzip", "{gzip}", 304, true },
        { "kept among others", NULL, "\"a\", {plain}", 304, false },
        { "the other copy is kept", "gzip", "{plain}", 200, true },
        { "an old one is kept", NULL, "\"0123456789abcdef\"", 200, false },
};

static const char *header(struct MHD_Response *response, const char *name)
{
        const char *const value = MHD_get_response_header(response, name);
        return value ? value : "";
}

/* `kept` with the file's tags in it. */
static const char *fill_in(const char *kept, const struct page_file *file, char *out, size_t size)
{
        const char *const mark = kept ? strchr(kept, '{') : NULL;
        if (!mark)
                return kept;
        snprintf(out, size, "%.*s\"%s%s\"", (int)(mark - kept), kept, file->hash,
                mark[1] == 'g' ? "-gzip" : "");
        return out;
}

static void replies(void **state)
{
        const struct reply_row *const row = *state;
        const struct page_file *const file = page_find("/assets/app.js");
        char kept[128];
        int status = 0;
        assert_non_null(file);
        struct MHD_Response *const response =
                page_response(file, row->codings, fill_in(row->kept, file, kept, sizeof kept), &status);
        assert_non_null(response);
        assert_int_equal(status, row->status);
        assert_string_equal(header(response, "Content-Encoding"), row->packed ? "gzip" : "");
        assert_string_equal(header(response, "Content-Type"), file->media);
        assert_string_equal(header(response, "Cache-Control"), "no-cache");
        assert_string_equal(header(response, "Vary"), "Accept-Encoding");
        assert_non_null(strstr(
                header(response, "Content-Security-Policy"), "default-src 'none'; script-src 'self';"));
        assert_null(strstr(header(response, "Content-Security-Policy"), "unsafe"));
        MHD_destroy_response(response);
}

/* They are small, and gzip made them smaller. */
static void fits(void **state)
{
        size_t total = 0;
        (void)state;
        for (size_t i = 0; i < page_file_count; i++) {
                const struct page_file *const file = &page_files[i];
                assert_true(
                        file->packed_size < file->size && file->packed[0] == 0x1f && file->packed[1] == 0x8b);
                total += file->packed_size;
        }
        assert_in_range(total, 10000, 65536);
}

int main(void)
{
        static struct row_tests all;
        ROWS_ADD(&all, finds, path_rows);
        ROWS_ADD(&all, replies, reply_rows);
        rows_add_one(&all, "all of them are small", fits);
        return rows_run("page", &all);
}
