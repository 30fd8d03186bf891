/* process.c: what this process takes of its host, as /proc has it. */
#include "daemon/sockets/process.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/* Reads the numbered word of a file of /proc; counting begins at 0, behind the last ')' if there is one. */
static uint64_t read_word(const char *path, unsigned number)
{
        char text[1024];
        FILE *const file = fopen(path, "re");
        if (file == NULL)
                return 0;
        const size_t size = fread(text, 1, sizeof text - 1, file);
        (void)fclose(file);
        text[size] = '\0';
        const char *const name_end = strrchr(text, ')');
        char *rest = name_end == NULL ? text : text + (name_end - text) + 2;
        const char *word = NULL;
        for (unsigned i = 0; i <= number; i++)
                word = strsep(&rest, " \n");
        return word == NULL ? 0 : strtoull(word, NULL, 10);
}

/* But for the one that it looks through. */
static uint64_t count_descriptors(void)
{
        DIR *const directory = opendir("/proc/self/fd");
        uint64_t count = 0;
        if (directory == NULL)
                return 0;
        for (const struct dirent *entry; (entry = readdir(directory)) != NULL;)
                count += entry->d_name[0] != '.';
        closedir(directory);
        return count - 1;
}

/* The start stands in ticks since the host's own, which the clock of the boot counts from too. */
static double start_time(void)
{
        enum { START_WORD = 19 };
        struct timespec now, since_boot;
        clock_gettime(CLOCK_REALTIME, &now);
        clock_gettime(CLOCK_BOOTTIME, &since_boot);
        const double booted =
                (double)(now.tv_sec - since_boot.tv_sec) + (double)(now.tv_nsec - since_boot.tv_nsec) / 1e9;
        return booted + (double)read_word("/proc/self/stat", START_WORD) / (double)sysconf(_SC_CLK_TCK);
}

struct process_usage process_usage(void)
{
        struct rlimit limit = { 0 };
        (void)getrlimit(RLIMIT_NOFILE, &limit);
        return (struct process_usage){ .resident = read_word("/proc/self/statm", 1) *
                                                   (uint64_t)sysconf(_SC_PAGESIZE),
                .descriptors = count_descriptors(),
                .most_descriptors = limit.rlim_cur,
                .started = start_time() };
}
