/* test_target.c: addresses come down to one form, and paths to the file that they lead to. */
#include "daemon/sockets/target.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/sockets/cleanup.h"
#include "tests/unit/rows.h"

struct read_row {
        const char *name;
        const char *text;
        enum way way;
        const char *judged;
};

static const struct read_row read_rows[] = {
        { "IPv4", "10.0.0.1:80", WAY_CONNECT, "10.0.0.1:80" },
        { "IPv6", "[2001:db8::1]:80", WAY_CONNECT, "[2001:db8::1]:80" },
        { "mapped", "[::ffff:10.0.0.1]:80", WAY_CONNECT, "10.0.0.1:80" },
        { "compatible", "[::10.0.0.1]:80", WAY_SEND, "10.0.0.1:80" },
        { "IPv6 loopback", "[::1]:80", WAY_CONNECT, "[::1]:80" },
        { "scope", "[fe80::1%7]:80", WAY_CONNECT, "[fe80::1%7]:80" },
        { "unspecified, to connect", "0.0.0.0:80", WAY_CONNECT, "127.0.0.1:80" },
        { "unspecified, to send", "0.0.0.0:80", WAY_SEND, "127.0.0.1:80" },
        { "unspecified, to bind", "0.0.0.0:80", WAY_BIND, "0.0.0.0:80" },
        { "IPv6 unspecified, to connect", "[::]:80", WAY_CONNECT, "[::1]:80" },
        { "IPv6 unspecified, to bind", "[::]:80", WAY_BIND, "[::]:80" },
        { "mapped unspecified", "[::ffff:0.0.0.0]:80", WAY_CONNECT, "127.0.0.1:80" },
        { "abstract", "unix:@x", WAY_CONNECT, "unix:@x" },
        { "autobind", "unix:", WAY_BIND, "AF_UNIX" },
};

static void reads(void **state)
{
        const struct read_row *const row = *state;
        struct address address;
        struct passage passage passage_auto;
        char text[ADDRESS_TEXT_SIZE];
        assert_int_equal(address_parse(row->text, &address).kind, RESULT_DONE);
        passage_open(&passage, row->way, -1, address.storage.ss_family, SOCK_STREAM, &address);
        assert_string_equal(target_format(&passage.target, text, sizeof text), row->judged);
}

/* sockaddrs that only `raw` can say. */
struct raw_row {
        const char *name;
        int family; /* of the sockaddr */
        socklen_t size;
        enum way way;
        const char *judged;
};

static const struct raw_row raw_rows[] = {
        { "AF_UNSPEC to send to is IPv4", AF_UNSPEC, sizeof(struct sockaddr_in), WAY_SEND, "1.2.3.4:513" },
        { "AF_UNSPEC to bind is IPv4", AF_UNSPEC, sizeof(struct sockaddr_in), WAY_BIND, "1.2.3.4:513" },
        { "AF_UNSPEC to connect dissolves", AF_UNSPEC, sizeof(struct sockaddr_in), WAY_CONNECT, "AF_UNSPEC" },
        { "IPv4, too short", AF_INET, sizeof(struct sockaddr_in) - 1, WAY_CONNECT, "AF_INET" },
        { "IPv4, too long", AF_INET, sizeof(struct sockaddr_storage), WAY_CONNECT, "1.2.3.4:513" },
        { "IPv6, too short", AF_INET6, 23, WAY_CONNECT, "AF_INET6" },
        { "IPv6 without a scope", AF_INET6, 24, WAY_CONNECT, "[102:304::]:513" },
        { "a family alone", AF_INET, sizeof(sa_family_t), WAY_CONNECT, "AF_INET" },
        { "half a family", AF_INET, 1, WAY_CONNECT, "AF_UNSPEC" },
        { "nothing", AF_INET, 0, WAY_CONNECT, "AF_UNSPEC" },
        { "another family", AF_PACKET, sizeof(struct sockaddr_in), WAY_SEND, "AF_PACKET" },
        { "no known family", 200, sizeof(struct sockaddr_in), WAY_SEND, "family 200" },
        { "a path too long", AF_UNIX, sizeof(struct sockaddr_storage), WAY_CONNECT, "AF_UNIX" },
};

static void reads_raw(void **state)
{
        const struct raw_row *const row = *state;
        struct address address = { .given = true, .size = row->size };
        struct passage passage passage_auto;
        char text[ADDRESS_TEXT_SIZE];
        static const uint8_t bytes[] = { 2, 1, 1, 2, 3, 4 };
        static const uint8_t six[] = { 2, 1, 0, 0, 0, 0, 1, 2, 3, 4 };
        address.storage.ss_family = (sa_family_t)row->family;
        memcpy((uint8_t *)&address.storage + sizeof(sa_family_t), row->family == AF_INET6 ? six : bytes,
                row->family == AF_INET6 ? sizeof six : sizeof bytes);
        passage_open(&passage, row->way, -1, AF_INET, SOCK_DGRAM, &address);
        assert_string_equal(target_format(&passage.target, text, sizeof text), row->judged);
}

/* What the kernel does with 0.0.0.0 is what is judged. */
static void unspecified_is_what_the_socket_is_bound_to(void **state)
{
        (void)state;
        struct address address, local;
        struct passage passage passage_auto;
        char text[ADDRESS_TEXT_SIZE];
        fd_auto const int fd = socket(AF_INET, SOCK_DGRAM, 0);
        assert_int_equal(address_parse("127.0.0.9:0", &local).kind, RESULT_DONE);
        assert_int_equal(bind(fd, (const struct sockaddr *)&local.storage, local.size), 0);
        assert_int_equal(address_parse("0.0.0.0:9", &address).kind, RESULT_DONE);
        passage_open(&passage, WAY_CONNECT, fd, AF_INET, SOCK_DGRAM, &address);
        assert_string_equal(target_format(&passage.target, text, sizeof text), "127.0.0.9:9");
        struct sockaddr_in peer;
        assert_int_equal(connect(fd, (const struct sockaddr *)&address.storage, address.size), 0);
        assert_int_equal(getpeername(fd, (struct sockaddr *)&peer, &(socklen_t){ sizeof peer }), 0);
        assert_memory_equal(&peer, &passage.storage, sizeof peer);
}

static void ipv6_unspecified_is_ipv4_on_a_socket_of_ipv4(void **state)
{
        (void)state;
        struct address address, local;
        struct passage passage passage_auto;
        char text[ADDRESS_TEXT_SIZE];
        fd_auto const int fd = socket(AF_INET6, SOCK_DGRAM, 0);
        assert_int_equal(address_parse("[::ffff:127.0.0.9]:0", &local).kind, RESULT_DONE);
        if (bind(fd, (const struct sockaddr *)&local.storage, local.size) != 0)
                skip();
        assert_int_equal(address_parse("[::]:9", &address).kind, RESULT_DONE);
        passage_open(&passage, WAY_CONNECT, fd, AF_INET6, SOCK_DGRAM, &address);
        assert_string_equal(target_format(&passage.target, text, sizeof text), "127.0.0.1:9");
        struct sockaddr_in6 peer;
        assert_int_equal(connect(fd, (const struct sockaddr *)&address.storage, address.size), 0);
        assert_int_equal(getpeername(fd, (struct sockaddr *)&peer, &(socklen_t){ sizeof peer }), 0);
        assert_memory_equal(&peer.sin6_addr, &((const struct sockaddr_in6 *)&passage.storage)->sin6_addr,
                sizeof peer.sin6_addr);
}

/* A folder with real/socket, which is listened on, and ways to it. */
static char folder[] = "/tmp/sockwright-target.XXXXXX";

static const char *in_folder(const char *name)
{
        static char path[128];
        snprintf(path, sizeof path, "%s/%s", folder, name);
        return path;
}

static int folder_open(void)
{
        const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct address address;
        char real[128];
        if (mkdtemp(folder) == NULL || mkdir(in_folder("real"), 0700) != 0 ||
                mkdir(in_folder("other"), 0700) != 0)
                abort();
        snprintf(real, sizeof real, "%s", in_folder("real/socket"));
        address_from_unix(real, strlen(real), false, &address);
        if (bind(fd, (const struct sockaddr *)&address.storage, address.size) != 0 || listen(fd, 64) != 0 ||
                link(real, in_folder("hard")) != 0 || symlink("real/socket", in_folder("soft")) != 0 ||
                symlink("real", in_folder("door")) != 0 || symlink("..", in_folder("other/up")) != 0)
                abort();
        return fd;
}

static void folder_close(int fd)
{
        static const char *const names[] = { "other/up", "door", "soft", "hard", "real/socket", "real",
                "other", "" };
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
                (void)remove(in_folder(names[i]));
        close(fd);
}

/* "" as what is judged: of a family, and nothing more. */
struct path_row {
        const char *name, *path;
        enum way way;
        const char *judged; /* in the folder */
        int error;
};

static const struct path_row path_rows[] = {
        { "itself", "real/socket", WAY_CONNECT, "real/socket", 0 },
        { "symbolic link", "soft", WAY_CONNECT, "real/socket", 0 },
        { "hard link", "hard", WAY_CONNECT, "hard", 0 },
        { "linked folder", "door/socket", WAY_CONNECT, "real/socket", 0 },
        { "dots", "other/../real/./socket", WAY_CONNECT, "real/socket", 0 },
        { "dots through a link", "other/up/real/socket", WAY_CONNECT, "real/socket", 0 },
        { "slashes", "real//socket", WAY_CONNECT, "real/socket", 0 },
        { "not there", "door/none", WAY_CONNECT, "real/none", ENOENT },
        { "folder not there", "none/socket", WAY_CONNECT, "", ENOENT },
        { "no folder", "real/socket/x", WAY_CONNECT, "", ENOTDIR },
        { "bind", "real/new", WAY_BIND, "real/new", 0 },
        { "bind in a linked folder", "door/new", WAY_BIND, "real/new", 0 },
        { "bind to a link", "soft", WAY_BIND, "soft", 0 },
        { "bind up", "other/../new", WAY_BIND, "new", 0 },
        { "bind to a folder above", "real/..", WAY_BIND, "", 0 },
        { "bind to a folder", "real/", WAY_BIND, "", 0 },
        { "bind where no folder is", "none/new", WAY_BIND, "", ENOENT },
};

static void finds(void **state)
{
        const struct path_row *const row = *state;
        struct address address;
        struct passage passage passage_auto;
        const char *const path = in_folder(row->path);
        assert_int_equal(address_from_unix(path, strlen(path), false, &address).kind, RESULT_DONE);
        passage_open(&passage, row->way, -1, AF_UNIX, SOCK_STREAM, &address);
        assert_int_equal(passage.error, row->error);
        if (row->judged[0] == '\0')
                assert_int_equal(passage.target.kind, TARGET_OTHER);
        else
                assert_string_equal(passage.target.name, in_folder(row->judged));
        if (row->way != WAY_CONNECT || row->error != 0)
                return;
        /* The kernel gets there by what was held. */
        fd_auto const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        assert_int_equal(connect(fd, (const struct sockaddr *)&passage.storage, passage.size), 0);
        struct stat status;
        assert_int_equal(stat(in_folder("real/socket"), &status), 0);
        assert_true(status.st_ino == passage.target.inode && status.st_dev == passage.target.device);
}

/* A link that is turned round after the judgement leads nowhere else. */
static void what_is_held_stays(void **state)
{
        (void)state;
        struct address address;
        struct passage passage passage_auto;
        const char *const path = in_folder("turned");
        assert_int_equal(symlink("real/socket", path), 0);
        address_from_unix(path, strlen(path), false, &address);
        passage_open(&passage, WAY_CONNECT, -1, AF_UNIX, SOCK_STREAM, &address);
        assert_int_equal(unlink(path), 0);
        assert_int_equal(symlink("/nowhere", path), 0);
        fd_auto const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        assert_int_equal(connect(fd, (const struct sockaddr *)&passage.storage, passage.size), 0);
        assert_int_equal(unlink(path), 0);
}

static void a_relative_path_starts_here(void **state)
{
        (void)state;
        struct address address;
        struct passage passage passage_auto;
        char before[4096];
        assert_non_null(getcwd(before, sizeof before));
        assert_int_equal(chdir(in_folder("other")), 0);
        address_from_unix("../door/socket", 14, false, &address);
        passage_open(&passage, WAY_CONNECT, -1, AF_UNIX, SOCK_STREAM, &address);
        assert_string_equal(passage.target.name, in_folder("real/socket"));
        passage_close(&passage);
        address_from_unix("new", 3, false, &address);
        passage_open(&passage, WAY_BIND, -1, AF_UNIX, SOCK_STREAM, &address);
        assert_string_equal(passage.target.name, in_folder("other/new"));
        assert_int_equal(chdir(before), 0);
}

struct local_row {
        const char *name, *text;
        bool is_local;
};

static const struct local_row local_rows[] = {
        { "loopback", "127.0.0.1:1", true },
        { "all of loopback", "127.200.3.4:1", true },
        { "IPv6 loopback", "[::1]:1", true },
        { "elsewhere", "203.0.113.9:1", false },
        { "IPv6 elsewhere", "[2001:db8::9]:1", false },
};

static void knows_its_own(void **state)
{
        const struct local_row *const row = *state;
        struct address address;
        struct target target;
        address_parse(row->text, &address);
        target_read(&target, WAY_CONNECT, &address.storage, address.size);
        assert_int_equal(target_is_local(&target), row->is_local);
}

int main(void)
{
        static struct row_tests all;
        const int fd = folder_open();
        ROWS_ADD(&all, reads, read_rows);
        ROWS_ADD(&all, reads_raw, raw_rows);
        ROWS_ADD(&all, finds, path_rows);
        ROWS_ADD(&all, knows_its_own, local_rows);
        rows_add_one(&all, "0.0.0.0 on a bound socket", unspecified_is_what_the_socket_is_bound_to);
        rows_add_one(&all, ":: on a socket of IPv4", ipv6_unspecified_is_ipv4_on_a_socket_of_ipv4);
        rows_add_one(&all, "a link turned round", what_is_held_stays);
        rows_add_one(&all, "a relative path", a_relative_path_starts_here);
        const int failed = rows_run("target", &all);
        folder_close(fd);
        return failed;
}
