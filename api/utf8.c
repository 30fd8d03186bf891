/* utf8.c: the table of UTF-8's lead bytes, and replacement of what does not fit it. */
#include "api/utf8.h"

#include <string.h>

/* A range of lead bytes, how long their sequences are, and the range of the second byte (RFC 3629, section
 * 4). */
struct lead {
        unsigned char first, last, size, second_first, second_last;
};

static const struct lead leads[] = {
        { .first = 0x00, .last = 0x7f, .size = 1 },
        { .first = 0xc2, .last = 0xdf, .size = 2, .second_first = 0x80, .second_last = 0xbf },
        { .first = 0xe0, .last = 0xe0, .size = 3, .second_first = 0xa0, .second_last = 0xbf },
        { .first = 0xe1, .last = 0xec, .size = 3, .second_first = 0x80, .second_last = 0xbf },
        { .first = 0xed, .last = 0xed, .size = 3, .second_first = 0x80, .second_last = 0x9f },
        { .first = 0xee, .last = 0xef, .size = 3, .second_first = 0x80, .second_last = 0xbf },
        { .first = 0xf0, .last = 0xf0, .size = 4, .second_first = 0x90, .second_last = 0xbf },
        { .first = 0xf1, .last = 0xf3, .size = 4, .second_first = 0x80, .second_last = 0xbf },
        { .first = 0xf4, .last = 0xf4, .size = 4, .second_first = 0x80, .second_last = 0x8f },
};

static const char replacement[] = "\xef\xbf\xbd";

static bool sequence_fits(const struct lead *lead, const unsigned char *bytes, size_t size)
{
        if (lead->size > size)
                return false;
        if (lead->size > 1 && (bytes[1] < lead->second_first || bytes[1] > lead->second_last))
                return false;
        for (size_t i = 2; i < lead->size; i++)
                if ((bytes[i] & 0xc0) != 0x80)
                        return false;
        return true;
}

size_t utf8_sequence(const char *bytes, size_t size)
{
        const unsigned char *const at = (const unsigned char *)bytes;
        if (size == 0)
                return 0;
        for (size_t i = 0; i < sizeof leads / sizeof *leads; i++)
                if (at[0] >= leads[i].first && at[0] <= leads[i].last)
                        return sequence_fits(&leads[i], at, size) ? leads[i].size : 0;
        return 0;
}

bool utf8_is_valid(const char *bytes, size_t size)
{
        for (size_t length; size > 0; bytes += length, size -= length)
                if ((length = utf8_sequence(bytes, size)) == 0)
                        return false;
        return true;
}

size_t utf8_clean(char *out, size_t out_size, const char *bytes, size_t size)
{
        size_t used = 0;
        for (size_t at = 0; at < size;) {
                const size_t sequence = utf8_sequence(bytes + at, size - at);
                const char *const source = sequence ? bytes + at : replacement;
                const size_t wanted = sequence ? sequence : sizeof replacement - 1;
                if (used + wanted >= out_size)
                        break;
                memcpy(out + used, source, wanted);
                used += wanted;
                at += sequence ? sequence : 1;
        }
        if (out_size > 0)
                out[used] = '\0';
        return used;
}
