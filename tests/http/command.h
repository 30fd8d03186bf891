/* command.h: runs a line of the shell, as a user would. */
#pragma once

/* What it prints, to be freed, and its wait status. */
char *output_of(const char *line, int *status);
