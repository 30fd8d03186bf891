/* message.c: datagram sockets, and what a received message says. */
#include "tests/http/message.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct post make_udp(struct stage *stage, const char *local, const char *options)
{
        const struct reply *const reply = post(stage, 201, "/v1/sockets",
                "{'type':'SOCK_DGRAM','bind':'%s','options':[%s]}", local, options);
        return (struct post){ .id = text_at(reply, "id"), .port = (int)number_at(reply, "local.port") };
}

json_t *ancillary_of(const json_t *message, const char *type)
{
        const json_t *const list = json_at(message, "ancillary");
        for (size_t i = 0; i < json_array_size(list); i++) {
                const json_t *const item = json_array_get(list, i);
                const char *const name = json_string_value(json_object_get(item, "type"));
                if (name != NULL && strcmp(name, type) == 0)
                        return json_object_get(item, "value");
        }
        return NULL;
}

json_t *ancillary_at(const struct reply *reply, const char *type)
{
        json_t *const value = ancillary_of(reply->json, type);
        if (value == NULL)
                fail_msg("%s: no %s in %s", reply->name, type, reply->body);
        return value;
}

bool has_flag(const json_t *message, const char *flag)
{
        const json_t *const list = json_at(message, "flags");
        for (size_t i = 0; i < json_array_size(list); i++)
                if (strcmp(json_string_value(json_array_get(list, i)), flag) == 0)
                        return true;
        return false;
}

void gift_name(char out[static GIFT_NAME_SIZE])
{
        snprintf(out, GIFT_NAME_SIZE, "lab-gifts-%d", getpid());
}

void give(const char *name, const int *fds, size_t count)
{
        enum { MOST = 8 };
        assert_in_range(count, 1, MOST);
        union {
                struct cmsghdr header;
                char bytes[CMSG_SPACE(MOST * sizeof(int))];
        } control = { .header = { .cmsg_level = SOL_SOCKET,
                              .cmsg_type = SCM_RIGHTS,
                              .cmsg_len = CMSG_LEN(count * sizeof *fds) } };
        memcpy(CMSG_DATA(&control.header), fds, count * sizeof *fds);
        struct sockaddr_un to = { .sun_family = AF_UNIX };
        memcpy(to.sun_path + 1, name, strlen(name));
        struct iovec piece = { .iov_base = "x", .iov_len = 1 };
        const struct msghdr message = { .msg_name = &to,
                .msg_namelen = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name)),
                .msg_iov = &piece,
                .msg_iovlen = 1,
                .msg_control = &control,
                .msg_controllen = CMSG_SPACE(count * sizeof *fds) };
        const int sender = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        assert_int_equal(sendmsg(sender, &message, 0), 1);
        close(sender);
}
