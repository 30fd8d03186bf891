/* fuzz.c: memory for fuzz targets. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

void *fuzz_room(size_t size)
{
        void *const room = malloc(size > 0 ? size : 1);
        HOLDS(room != NULL);
        return room;
}

void *fuzz_copy(const void *bytes, size_t size)
{
        void *const copy = fuzz_room(size);
        if (size > 0)
                memcpy(copy, bytes, size);
        return copy;
}

char *fuzz_text(const void *bytes, size_t size)
{
        char *const text = fuzz_room(size + 1);
        if (size > 0)
                memcpy(text, bytes, size);
        text[size] = '\0';
        return text;
}
