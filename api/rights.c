/* rights.c: descriptors that travel in messages (SCM_RIGHTS): owned sockets go out, what comes is owned. */
#include "api/rights.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "api/guarded.h"
#include "daemon/sockets/cleanup.h"

/* A reference, or NULL. What is not the caller's own looks just as what is not there. */
static struct socket *find_reached(struct call *call, const char *id)
{
        struct socket *socket socket_auto = registry_find(call->service->registry, id);
        return socket != NULL && call_reaches(call, socket) && !socket->closed ? TAKE(socket) : NULL;
}

static struct result lend(
        struct call *call, const struct rights *rights, uint8_t *control, const char *path, struct loan *out)
{
        for (size_t i = 0; i < json_array_size(rights->ids); i++) {
                struct socket *const socket =
                        find_reached(call, json_string_value(json_array_get(rights->ids, i)));
                char parameter[PROBLEM_PARAMETER_SIZE];
                snprintf(parameter, sizeof parameter, "%sancillary", path);
                if (socket == NULL)
                        return call_unsound(call, parameter, "%s: there is no socket \"%.32s\" to be sent",
                                parameter, json_string_value(json_array_get(rights->ids, i)));
                socket->stored->shared = true;
                out->sockets[out->count++] = socket;
                memcpy(control + rights->offset + i * sizeof socket->fd, &socket->fd, sizeof socket->fd);
        }
        return DONE;
}

struct result loan_begin(struct call *call, const struct control *control, const char *path, struct loan *out)
{
        size_t count = 0;
        *out = (struct loan){ .count = 0 };
        for (const struct rights *rights = control->rights; rights != NULL; rights = rights->next)
                count += json_array_size(rights->ids);
        if (count == 0)
                return DONE;
        out->sockets = calloc(count, sizeof *out->sockets);
        if (out->sockets == NULL)
                return refused("sendmsg", ENOMEM);
        for (const struct rights *rights = control->rights; rights != NULL; rights = rights->next)
                TRY(lend(call, rights, control->bytes, path, out));
        return DONE;
}

void loan_end(struct loan *loan)
{
        for (size_t i = 0; i < loan->count; i++)
                socket_release(loan->sockets[i]);
        free(TAKE(loan->sockets));
        loan->count = 0;
}

/* What a descriptor that is no socket is. seccomp: fstat newfstatat */
static const char *kind_of_file(int fd)
{
        static const struct {
                mode_t format;
                const char *name;
        } kinds[] = {
                { S_IFREG, "file" },
                { S_IFDIR, "directory" },
                { S_IFIFO, "pipe" },
                { S_IFCHR, "character device" },
                { S_IFBLK, "block device" },
                { S_IFSOCK, "socket" },
        };
        struct stat status;
        if (fstat(fd, &status) != 0)
                return "other";
        for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
                if (kinds[i].format == (status.st_mode & S_IFMT))
                        return kinds[i].name;
        return "other";
}

/* Adds its id to the list, or gives the reason why it was not kept. What comes through a socket belongs to
 * its session. All that the daemon does is non-blocking, so the description that the descriptor shares
 * becomes so too. seccomp: fcntl */
static const char *keep(struct call *call, int *fd, json_t *ids)
{
        const int family = socket_option(*fd, SO_DOMAIN, -1), type = socket_option(*fd, SO_TYPE, -1);
        const int protocol = socket_option(*fd, SO_PROTOCOL, 0);
        char id[SOCKET_ID_SIZE];
        if (family < 0 || type < 0)
                return kind_of_file(*fd);
        if (!guarded_adoption(call, family, type, protocol))
                return "socket, denied by the policy";
        if (registry_reserve(call->service->registry, call->caller.account, 1).kind != RESULT_DONE)
                return "socket, over a limit";
        const int flags = fcntl(*fd, F_GETFL);
        struct socket *socket socket_auto = flags >= 0 && fcntl(*fd, F_SETFL, flags | O_NONBLOCK) == 0
                                                    ? socket_new(*fd, family, type, protocol)
                                                    : NULL;
        if (socket == NULL) {
                registry_unreserve(call->service->registry, call->caller.account, 1);
                return "socket, for want of memory";
        }
        take_fd(fd);
        socket->stored->shared = true;
        socket->owner = call->caller.account;
        socket->parent = call->socket->number;
        socket->session = call->socket->session == NULL ? NULL : session_reference(call->socket->session);
        if (!registry_publish(call->service->registry, socket)) {
                registry_unreserve(call->service->registry, call->caller.account, 1);
                return "socket, whose session has ended";
        }
        json_array_append_new(
                ids, json_string(registry_format_id(call->service->registry, socket->number, id)));
        return NULL;
}

json_t *rights_take(void *context, const int *fds, size_t count)
{
        struct call *const call = context;
        json_t *const ids = json_array();
        json_t *const closed = json_array();
        for (size_t i = 0; i < count; i++) {
                fd_auto int fd = fds[i];
                const char *const reason = keep(call, &fd, ids);
                if (reason != NULL)
                        json_array_append_new(closed, json_string(reason));
        }
        return json_pack("{so,so}", "sockets", ids, "closed", closed);
}
