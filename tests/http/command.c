/* command.c: runs a line of the shell, as a user would. */
#include "tests/http/command.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/http/check.h"

char *output_of(const char *line, int *status)
{
        FILE *const pipe = popen(line, "re"); /* NOLINT(cert-env33-c): that a shell runs it is the point */
        assert_non_null(pipe);
        char *const text = calloc(1, 1 << 20);
        assert_non_null(text);
        const size_t size = fread(text, 1, (1 << 20) - 1, pipe);
        text[size] = '\0';
        *status = pclose(pipe);
        return text;
}
