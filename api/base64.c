/* base64.c: libcrypto's base64 with its leniency taken away. */
#include "api/base64.h"

#include <openssl/evp.h>
#include <string.h>

/* libcrypto counts in int, so larger inputs go piecewise: whole groups of 3 bytes, and of 4 letters. */
enum { GROUPS = 1 << 20, PIECE_BYTES = 3 * GROUPS, PIECE_LETTERS = 4 * GROUPS };

size_t base64_encoded_size(size_t size)
{
        return (size / 3 + (size % 3 != 0)) * 4;
}

size_t base64_decoded_size(size_t size)
{
        return size / 4 * 3;
}

size_t base64_encode(const uint8_t *bytes, size_t size, char *out)
{
        char *at = out;
        *at = '\0';
        for (size_t done = 0; done < size;) {
                const size_t piece = size - done < PIECE_BYTES ? size - done : PIECE_BYTES;
                at += EVP_EncodeBlock((unsigned char *)at, bytes + done, (int)piece);
                done += piece;
        }
        return (size_t)(at - out);
}

/* libcrypto takes '=' for zero bits wherever it stands. */
static bool padding_is_at_end(const char *text, size_t size, size_t *padding)
{
        const char *const first = memchr(text, '=', size);
        *padding = first ? size - (size_t)(first - text) : 0;
        return *padding < 2 || (*padding == 2 && first[1] == '=');
}

/* The last group says the bytes that it decoded to in no other way than encoding them does. */
static bool tail_is_canonical(const char *text, size_t size, const uint8_t *out, size_t padding)
{
        char again[5];
        base64_encode(out + size / 4 * 3 - 3, 3 - padding, again);
        return memcmp(again, text + size - 4, 4) == 0;
}

bool base64_decode(const char *text, size_t size, uint8_t *out, size_t *out_size)
{
        size_t padding = 0;
        if (size == 0) {
                *out_size = 0;
                return true;
        }
        if (size % 4 != 0 || !padding_is_at_end(text, size, &padding))
                return false;
        for (size_t done = 0; done < size;) {
                const size_t piece = size - done < PIECE_LETTERS ? size - done : PIECE_LETTERS;
                /* It trims white space around the text: fewer bytes than the letters make are a refusal too.
                 */
                const int decoded =
                        EVP_DecodeBlock(out + done / 4 * 3, (const unsigned char *)text + done, (int)piece);
                if (decoded < 0 || (size_t)decoded != piece / 4 * 3)
                        return false;
                done += piece;
        }
        if (!tail_is_canonical(text, size, out, padding))
                return false;
        *out_size = size / 4 * 3 - padding;
        return true;
}
