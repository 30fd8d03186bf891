/* netns.c: network namespaces: which there are, and sockets opened in them.
 *
 * setns(2) is let through by the filter for CLONE_NEWNET alone, and only for a daemon that has CAP_SYS_ADMIN:
 * see daemon/seccomp.def. */
#include "daemon/sockets/netns.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "daemon/sockets/capability.h"
#include "daemon/sockets/cleanup.h"

static const char DIRECTORY[] = "/run/netns";

static bool is_pid(const char *name)
{
        return name[strspn(name, "0123456789")] == '\0';
}

bool netns_name_is_sound(const char *name)
{
        return name[0] != '\0' && strlen(name) < NETNS_NAME_SIZE && strchr(name, '/') == NULL &&
               strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

/* seccomp: fstatfs ioctl */
static bool is_netns(int fd)
{
        struct statfs system;
        return fstatfs(fd, &system) == 0 && system.f_type == NSFS_MAGIC &&
               ioctl(fd, NS_GET_NSTYPE) == CLONE_NEWNET;
}

/* A link in the folder might lead anywhere, and a pipe might wait. */
static struct result open_netns(const char *name, int *fd)
{
        char path[NETNS_NAME_SIZE + 32];
        const bool of_process = is_pid(name);
        if (of_process)
                snprintf(path, sizeof path, "/proc/%s/ns/net", name);
        else
                snprintf(path, sizeof path, "%s/%s", DIRECTORY, name);
        fd_auto int opened = open(path, O_RDONLY | O_CLOEXEC | (of_process ? 0 : O_NOFOLLOW | O_NONBLOCK));
        struct result result = check("open", opened);
        if (result.kind == RESULT_REFUSED && result.error == ENOENT)
                result.detail = of_process ? "there is no such process"
                                           : "there is no such network namespace in /run/netns";
        else if (result.kind == RESULT_DONE && !is_netns(opened)) {
                result = refused("setns", EINVAL);
                result.detail = "that is no network namespace";
        }
        if (result.kind == RESULT_DONE)
                *fd = take_fd(&opened);
        return result;
}

/* What the thread is to do, and how it went. */
struct opening {
        int netns, family, type, protocol;
        int fd;
        struct result result;
};

/* seccomp: socket */
static void *open_there(void *context)
{
        struct opening *const opening = context;
        opening->result = check("setns", setns(opening->netns, CLONE_NEWNET));
        if (opening->result.kind != RESULT_DONE)
                return NULL;
        opening->fd = socket(opening->family, opening->type, opening->protocol);
        opening->result = check("socket", opening->fd);
        return NULL;
}

struct result netns_socket(const char *name, int family, int type, int protocol, int *fd)
{
        pthread_t thread;
        const struct result lacking = capability_explain(refused("setns", EPERM), 0, 0, family, type);
        if (lacking.detail != NULL)
                return lacking;
        fd_auto int netns = -1;
        TRY(open_netns(name, &netns));
        struct opening opening = {
                .netns = netns, .family = family, .type = type, .protocol = protocol, .fd = -1
        };
        const int error = pthread_create(&thread, NULL, open_there, &opening);
        if (error != 0)
                return refused("clone", error);
        pthread_join(thread, NULL);
        *fd = opening.fd;
        return opening.result;
}

static void tell_if_netns(const char *name, void (*tell)(void *, const char *, uint64_t), void *context)
{
        struct stat status;
        fd_auto int fd = -1;
        if (netns_name_is_sound(name) && !is_pid(name) && open_netns(name, &fd).kind == RESULT_DONE &&
                fstat(fd, &status) == 0)
                tell(context, name, status.st_ino);
}

struct result netns_list(void (*tell)(void *context, const char *name, uint64_t inode), void *context)
{
        DIR *const directory = opendir(DIRECTORY);
        /* It is made with the first of them. */
        if (directory == NULL)
                return errno == ENOENT ? DONE : refused("open", errno);
        for (const struct dirent *entry; (entry = readdir(directory)) != NULL;)
                tell_if_netns(entry->d_name, tell, context);
        closedir(directory);
        return DONE;
}
