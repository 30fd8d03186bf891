/* fuzz_base64.c: our strict base64 decoder against libcrypto: takes a text if and only if encoding gives it.
 */
#include <openssl/evp.h>
#include <stdbool.h>

#include "api/base64.h"
#include "daemon/sockets/cleanup.h"
#include "tests/fuzz/fuzz.h"

/* Decodes with libcrypto, which is lenient: what it makes of the text must encode to the same text again. */
static bool reference_decode(const char *text, size_t size, uint8_t *out, size_t *out_size)
{
        const unsigned char *const letters = (const unsigned char *)text;
        memory_auto unsigned char *again = fuzz_room(size + 8);
        const int whole = EVP_DecodeBlock(out, letters, (int)size);
        size_t padding = 0;
        while (padding < 2 && padding < size && text[size - 1 - padding] == '=')
                padding++;
        if (whole < 0 || (size_t)whole < padding)
                return false;
        *out_size = (size_t)whole - padding;
        const int again_size = EVP_EncodeBlock(again, out, (int)*out_size);
        return (size_t)again_size == size && memcmp(again, text, size) == 0;
}

static void decode_as_text(const uint8_t *bytes, size_t size)
{
        memory_auto char *text = fuzz_copy(bytes, size);
        const size_t room = base64_decoded_size(size);
        memory_auto uint8_t *ours = fuzz_room(room);
        memory_auto uint8_t *theirs = fuzz_room(size + 4);
        size_t our_size = SIZE_MAX, their_size = 0;
        const bool sound = base64_decode(text, size, ours, &our_size);
        HOLDS(sound == reference_decode(text, size, theirs, &their_size));
        HOLDS(sound || our_size == SIZE_MAX);
        HOLDS(!sound || (our_size == their_size && our_size <= room && room - our_size <= 2));
        HOLDS(!sound || our_size == 0 || memcmp(ours, theirs, our_size) == 0);
}

static void round_trip(const uint8_t *bytes, size_t size)
{
        const size_t text_size = base64_encoded_size(size);
        memory_auto char *text = fuzz_room(text_size + 1);
        memory_auto uint8_t *back = fuzz_room(base64_decoded_size(text_size));
        size_t back_size = 0;
        HOLDS(base64_encode(bytes, size, text) == text_size && strlen(text) == text_size);
        HOLDS(base64_decode(text, text_size, back, &back_size) && back_size == size);
        HOLDS(size == 0 || memcmp(back, bytes, size) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
        decode_as_text(bytes, size);
        round_trip(bytes, size);
        return 0;
}
