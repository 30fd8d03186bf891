/* replay.c: runs a fuzz target on files and on the files in folders, where libFuzzer is not linked: once
 * each. */
#include <dirent.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "daemon/sockets/cleanup.h"
#include "tests/fuzz/fuzz.h"

static size_t replayed;

static void replay_file(const char *path, size_t size)
{
        FILE *const file = fopen(path, "rb");
        memory_auto uint8_t *bytes = fuzz_room(size);
        HOLDS(file != NULL);
        const size_t got = fread(bytes, 1, size, file);
        fclose(file);
        HOLDS(got == size);
        /* The last one said is the one that ended it. */
        puts(path);
        fflush(stdout);
        LLVMFuzzerTestOneInput(bytes, size);
        replayed++;
}

static void replay_folder(const char *path);

static void replay(const char *path)
{
        struct stat status;
        if (stat(path, &status) != 0)
                perror(path);
        else if (S_ISDIR(status.st_mode))
                replay_folder(path);
        else
                replay_file(path, (size_t)status.st_size);
}

static void replay_folder(const char *path)
{
        struct dirent **entries = NULL;
        const int count = scandir(path, &entries, NULL, alphasort);
        for (int i = 0; i < count; i++) {
                char name[4096];
                snprintf(name, sizeof name, "%s/%s", path, entries[i]->d_name);
                if (entries[i]->d_name[0] != '.')
                        replay(name);
                free(entries[i]);
        }
        free(entries);
}

int main(int count, char **arguments)
{
        for (int i = 1; i < count; i++)
                replay(arguments[i]);
        printf("%zu inputs\n", replayed);
        return replayed > 0 ? 0 : 1;
}
