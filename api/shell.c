/* shell.c: words of a POSIX shell's command line. */
#include "api/shell.h"

#include <string.h>

/* Within single quotes, nothing means anything but their end. */
void shell_quote(struct print *print, const char *text, size_t size)
{
        PRINT(print, "'");
        for (const char *end = text + size; text < end;) {
                const char *const quote = memchr(text, '\'', (size_t)(end - text));
                const char *const stop = quote == NULL ? end : quote;
                print_text(print, text, (size_t)(stop - text));
                if (quote != NULL)
                        PRINT(print, "'\\''");
                text = stop + (quote != NULL);
        }
        PRINT(print, "'");
}
