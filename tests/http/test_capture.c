/* test_capture.c: a transcript as pcapng, as tshark reads it: the bytes of each stream, the datagrams, the
 * comments. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/http/command.h"
#include "tests/http/steps.h"

enum { PATH_SIZE = 128, LINE_SIZE = 512, MANY = 4000 };

/* Saves a socket's capture, and runs tshark on it. What it prints, to be freed. */
static char *tshark(struct stage *stage, const char *id, const char *options)
{
        char path[PATH_SIZE], line[LINE_SIZE];
        const struct reply *const reply = get(stage, 200, "/v1/sockets/%s/transcript?format=pcapng", id);
        assert_string_equal(reply_header(reply, "content-type"), "application/x-pcapng");
        snprintf(path, sizeof path, "%s/capture", stage->daemon->directory);
        reply_save(reply, path);
        snprintf(line, sizeof line,
                "tshark -r '%s' -n -o tcp.check_checksum:TRUE -o udp.check_checksum:TRUE -o "
                "ip.check_checksum:TRUE %s "
                "2>'%s.errors'",
                path, options, path);
        int status;
        char *const text = output_of(line, &status);
        strcat(path, ".errors");
        char *const errors = file_read(path);
        if (status != 0)
                fail_msg("tshark: %d: %s", status, errors);
        free(errors);
        remove(path);
        path[strlen(path) - strlen(".errors")] = '\0';
        remove(path);
        return text;
}

static void expect_output(struct stage *stage, const char *id, const char *options, const char *expected)
{
        char *const text = tshark(stage, id, options);
        if (strcmp(text, expected) != 0)
                fail_msg("tshark %s:\n%s\ninstead of\n%s", options, text, expected);
        free(text);
}

/* Every checksum is as it should be. */
static void expect_sound(struct stage *stage, const char *id)
{
        expect_output(stage, id,
                "-Y 'ip.checksum.status==\"Bad\" || tcp.checksum.status==\"Bad\" || "
                "udp.checksum.status==\"Bad\" || "
                "_ws.malformed || tcp.analysis.flags'",
                "");
}

/* What "follow stream" says, in hexadecimal, of one direction: lines of the second node begin with a tab. */
static void expect_followed(const char *followed, bool second, const void *bytes, size_t size)
{
        char *const digits = calloc(2, size + 1), *const found = calloc(1, strlen(followed) + 1);
        assert_true(digits != NULL && found != NULL);
        for (size_t i = 0; i < size; i++)
                snprintf(digits + 2 * i, 3, "%02x", ((const uint8_t *)bytes)[i]);
        const char *at = strstr(followed, "Node 1: ");
        assert_non_null(at);
        for (at = strchr(at, '\n'); at != NULL && at[1] != '='; at = strchr(at + 1, '\n')) {
                const char *const line = at + 1 + (at[1] == '\t');
                if ((at[1] == '\t') == second)
                        strncat(found, line, strcspn(line, "\n"));
        }
        assert_string_equal(found, digits);
        free(digits);
        free(found);
}

static struct link recorded_link(struct stage *stage, const char *address)
{
        struct link link;
        const struct reply *const listener =
                post(stage, 201, "/v1/sockets", "{'bind':'%s:0','listen':true,'record':true}", address);
        link.listener = text_at(listener, "id");
        link.port = (int)number_at(listener, "local.port");
        link.near = make(stage, "{'connect':'%s:%d','record':true}", address, link.port);
        link.far = text_at(act(stage, link.listener, "accept", 201, ""), "id");
        return link;
}

static const struct family {
        const char *name, *address;
} families[] = { { "TCP over IPv4", "127.0.0.1" }, { "TCP over IPv6", "[::1]" } };

/* More than a segment holds goes one way, a little comes back, and each side says that it ends. */
static void play_stream(struct stage *stage, const void *row)
{
        const struct family *const family = row;
        const struct link link = recorded_link(stage, family->address);
        uint8_t *const bytes = noise(MANY);
        act_raw(stage, link.near, "send", 200, bytes, MANY);
        act(stage, link.far, "recv", 200, "{'size':100,'flags':['MSG_PEEK']}");
        act(stage, link.far, "recv", 200, "{'until':{'bytes':%d}}", MANY);
        act(stage, link.far, "send", 200, "{'text':'back'}");
        act(stage, link.near, "recv", 200, "{'until':{'bytes':4}}");
        act(stage, link.near, "shutdown", 200, "{'how':'SHUT_WR'}");
        act(stage, link.far, "recv", 200, "");
        act(stage, link.far, "recv", 200, "");
        const char *const ends[] = { link.near, link.far };
        for (int i = 0; i < 2; i++) {
                expect_sound(stage, ends[i]);
                char *const followed = tshark(stage, ends[i], "-q -z follow,tcp,raw,0");
                expect_followed(followed, false, bytes, MANY);
                expect_followed(followed, true, "back", 4);
                free(followed);
        }
        char expected[LINE_SIZE];
        snprintf(expected, sizeof expected, "%d\n", link.port);
        expect_output(stage, link.listener,
                "-Y 'tcp.flags.syn==1 && tcp.flags.ack==0' -T fields -e tcp.dstport", expected);
        free(bytes);
}

/* What of a connection is told by flags, and by which direction: 0x2 is out, 0x1 in. */
static void flags(struct stage *stage)
{
        const struct link link = recorded_link(stage, "127.0.0.1");
        act(stage, link.near, "send", 200, "{'text':'x'}");
        act(stage, link.near, "shutdown", 200, "{'how':'SHUT_WR'}");
        drop(stage, 204, "/v1/sockets/%s?reset=true", link.far);
        act_refused(stage, link.near, "recv", "ECONNRESET", "");
        expect_output(stage, link.near,
                "-T fields -E separator=' ' -e tcp.flags -e frame.packet_flags -e tcp.seq -e tcp.ack -e "
                "frame.comment",
                "0x0002 0x00000002 0 0 socket_create 201, call 1\n0x0012 0x00000001 0 1 \n0x0010 0x00000002 "
                "1 1 \n"
                "0x0018 0x00000002 1 1 socket_send 200, call 2\n0x0011 0x00000002 2 1 socket_shutdown 200, "
                "call 3\n"
                "0x0014 0x00000001 1 3 socket_recv 422 ECONNRESET, call 4\n");
}

/* Connecting that comes to nothing. */
static void refused(struct stage *stage)
{
        const char *const id = make(stage, "{'record':true}");
        act_refused(stage, id, "connect", "ECONNREFUSED", "{'address':'127.0.0.1:1'}");
        expect_output(stage, id, "-T fields -e tcp.flags.reset -e frame.comment",
                "0\tsocket_connect 422 ECONNREFUSED, call 2\n1\t\n");
}

/* Datagrams keep their boundaries and their addresses, whichever call sent them. */
static void play_datagrams(struct stage *stage, const void *row)
{
        const struct family *const family = row;
        char expected[LINE_SIZE];
        const struct reply *const one = post(stage, 201, "/v1/sockets",
                "{'type':'SOCK_DGRAM','bind':'%s:0','record':true}", family->address);
        const struct reply *const two = post(stage, 201, "/v1/sockets",
                "{'type':'SOCK_DGRAM','bind':'%s:0','record':true}", family->address);
        const char *const near = text_at(one, "id"), *const far = text_at(two, "id");
        const int from = (int)number_at(one, "local.port"), to = (int)number_at(two, "local.port");
        act(stage, near, "sendto", 200, "{'address':'%s:%d','text':'one'}", family->address, to);
        act(stage, near, "sendmsg", 200,
                "{'messages':[{'address':'%s:%d','buffers':[{'text':'tw'},{'data':'bw=='}]},"
                "{'address':'%s:%d','buffers':[{'text':'three'}]}]}",
                family->address, to, family->address, to);
        act(stage, far, "recvfrom", 200, "");
        act(stage, far, "recvmsg", 200, "{'count':2}");
        expect_sound(stage, near);
        expect_sound(stage, far);
        snprintf(expected, sizeof expected, "%d %d 6f6e65\n%d %d 74776f\n%d %d 7468726565\n", from, to, from,
                to, from, to);
        const char *const fields = "-T fields -E separator=' ' -e udp.srcport -e udp.dstport -e udp.payload";
        expect_output(stage, near, fields, expected);
        expect_output(stage, far, fields, expected);
}

static const struct family datagram_families[] = { { "UDP over IPv4", "127.0.0.1" },
        { "UDP over IPv6", "[::1]" } };

/* What no IP packets carry is payload alone: DLT_USER0, which tshark calls encapsulation 45. */
static void local(struct stage *stage)
{
        const struct reply *const pair = post(
                stage, 201, "/v1/socketpairs", "{'family':'AF_UNIX','type':'SOCK_SEQPACKET','record':true}");
        const char *const near = text_at(pair, "sockets.0.id");
        act(stage, near, "send", 200, "{'text':'abcde'}");
        act(stage, text_at(pair, "sockets.1.id"), "sendmsg", 200, "{'buffers':[{'text':'xyz'}]}");
        act(stage, near, "recvmsg", 200, "{'sizes':[1,5]}");
        expect_output(stage, near,
                "-T fields -E separator=' ' -e frame.encap_type -e frame.len -e frame.packet_flags -e "
                "frame.comment",
                "45 5 0x00000002 socket_send 200, call 2\n45 3 0x00000001 socket_recvmsg 200, call 3\n");
}

/* What was streamed, from both ends. */
static void streamed(struct stage *stage)
{
        enum { SIZE = 100000 };
        uint8_t *const bytes = noise(SIZE);
        const struct link link = recorded_link(stage, "127.0.0.1");
        struct pending *const receiving = later_raw(stage, link.far, "recv?until=eof", NULL, 0, true);
        act_raw(stage, link.near, "send", 200, bytes, SIZE);
        act(stage, link.near, "shutdown", 200, "{'how':'SHUT_WR'}");
        assert_int_equal(finish(stage, receiving, 200)->size, SIZE);
        const char *const ends[] = { link.near, link.far };
        for (int i = 0; i < 2; i++) {
                char *const followed = tshark(stage, ends[i], "-q -z follow,tcp,raw,0");
                expect_followed(followed, false, bytes, SIZE);
                free(followed);
                expect_sound(stage, ends[i]);
        }
        free(bytes);
}

/* An empty capture is a capture. */
static void empty(struct stage *stage)
{
        expect_output(stage, make(stage, "{'record':true}"), "", "");
}

static const struct scenario scenarios[] = {
        { "flags", flags },
        { "refused", refused },
        { "local", local },
        { "streamed", streamed },
        { "empty", empty },
};

int main(void)
{
        SUITE_ADD_ROWS(play_stream, families);
        SUITE_ADD_ROWS(play_datagrams, datagram_families);
        SUITE_ADD_SCENARIOS(scenarios);
        return suite_run("capture", NULL);
}
