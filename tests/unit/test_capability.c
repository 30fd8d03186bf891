/* test_capability.c: the capability that a refused call lacks is named. */
#include <cap-ng.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "daemon/sockets/capability.h"
#include "daemon/sockets/cleanup.h"
#include "daemon/sockets/option.h"
#include "tests/unit/rows.h"

/* In a child, since capabilities do not come back. Exit status 0: the details were right. */
static int without_capabilities(void)
{
        capng_clear(CAPNG_SELECT_BOTH);
        if (capng_apply(CAPNG_SELECT_CAPS) != 0)
                return 1;
        fd_auto int fd = socket(AF_INET, SOCK_STREAM, 0);
        const struct result mark = capability_explain(
                option_set(fd, SOL_SOCKET, SO_MARK, &(int){ 1 }, sizeof(int)), SOL_SOCKET, SO_MARK, 0, 0);
        if (mark.error != EPERM || !mark.detail || !strstr(mark.detail, "CAP_NET_ADMIN"))
                return 2;
        const struct result raw =
                capability_explain(check("socket", socket(AF_INET, SOCK_RAW, 1)), 0, 0, AF_INET, SOCK_RAW);
        if (raw.error != EPERM || !raw.detail || !strstr(raw.detail, "CAP_NET_RAW"))
                return 3;
        return capability_explain(refused("setsockopt", EINVAL), SOL_SOCKET, SO_MARK, 0, 0).detail ? 4 : 0;
}

static void names_the_missing_capability(void **state)
{
        (void)state;
        const pid_t child = fork();
        if (child == 0)
                _exit(without_capabilities());
        int status = -1;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
}

static void knows_what_calls_need(void **state)
{
        (void)state;
        assert_string_equal(capability_needed("socket", 0, 0, AF_PACKET, SOCK_DGRAM), "CAP_NET_RAW");
        assert_string_equal(capability_needed("bind", 0, 0, AF_INET6, SOCK_STREAM), "CAP_NET_BIND_SERVICE");
        assert_string_equal(
                capability_needed("setsockopt", IPPROTO_IP, IP_TRANSPARENT, 0, 0), "CAP_NET_ADMIN");
        assert_string_equal(capability_needed("setns", 0, 0, AF_INET, SOCK_STREAM), "CAP_SYS_ADMIN");
        assert_null(capability_needed("socket", 0, 0, AF_INET, SOCK_STREAM));
        assert_null(capability_needed("bind", 0, 0, AF_UNIX, SOCK_STREAM));
        assert_null(capability_needed("setsockopt", 1, 9999, 0, 0));
}

int main(void)
{
        struct row_tests all = { .count = 0 };
        rows_add_one(&all, "names the missing capability", names_the_missing_capability);
        rows_add_one(&all, "knows what calls need", knows_what_calls_need);
        return rows_run("capability", &all);
}
