/* base64.c: libcrypto's encoder, and a strict decoder. */
#include "api/base64.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <string.h>

/* libcrypto counts in int, so larger inputs go piecewise, in whole groups of 3 bytes. */
enum { PIECE_BYTES = 3 << 20 };

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

/* Decoding is our own: payloads are the hot path, and this takes two thirds of EVP_DecodeBlock's time
 * (tests/bench). For each of a group's four letters, the bits that it stands for, in place; NO_LETTER for
 * what is none. */
static const uint32_t NO_LETTER = 1U << 24;
static uint32_t letter_bits[4][256];

static void fill_letter_bits(void)
{
        static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        for (unsigned place = 0; place < 4; place++) {
                for (unsigned letter = 0; letter < 256; letter++)
                        letter_bits[place][letter] = NO_LETTER;
                for (uint32_t value = 0; value < 64; value++)
                        letter_bits[place][(unsigned char)letters[value]] = value << (18 - 6 * place);
        }
}

static uint32_t group_bits(const unsigned char *group)
{
        return letter_bits[0][group[0]] | letter_bits[1][group[1]] | letter_bits[2][group[2]] |
               letter_bits[3][group[3]];
}

/* Whole groups without padding. */
static bool decode_groups(const unsigned char *text, size_t groups, uint8_t *out)
{
        uint32_t seen = 0;
        for (; groups > 0; groups--, text += 4, out += 3) {
                const uint32_t bits = group_bits(text);
                seen |= bits;
                out[0] = (uint8_t)(bits >> 16);
                out[1] = (uint8_t)(bits >> 8);
                out[2] = (uint8_t)bits;
        }
        return (seen & NO_LETTER) == 0;
}

/* The last group, with `padding` signs at its end; the bits that they leave over must be zero. */
static bool decode_tail(const unsigned char *group, size_t padding, uint8_t *out)
{
        unsigned char whole[4] = { group[0], group[1], 'A', 'A' };
        if (padding < 2)
                whole[2] = group[2];
        const uint32_t bits = group_bits(whole);
        const uint8_t bytes[3] = { (uint8_t)(bits >> 16), (uint8_t)(bits >> 8), (uint8_t)bits };
        memcpy(out, bytes, 3 - padding);
        return (bits & (NO_LETTER | (padding == 2 ? 0xffffU : 0xffU))) == 0;
}

bool base64_decode(const char *text, size_t size, uint8_t *out, size_t *out_size)
{
        static pthread_once_t once = PTHREAD_ONCE_INIT;
        const unsigned char *const letters = (const unsigned char *)text;
        if (size % 4 != 0)
                return false;
        pthread_once(&once, fill_letter_bits);
        size_t padding = 0;
        while (padding < 2 && size > 0 && text[size - 1 - padding] == '=')
                padding++;
        const size_t groups = size / 4 - (padding > 0);
        if (!decode_groups(letters, groups, out) ||
                (padding > 0 && !decode_tail(letters + groups * 4, padding, out + groups * 3)))
                return false;
        *out_size = size / 4 * 3 - padding;
        return true;
}
