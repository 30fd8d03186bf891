/* test_ancillary.c: ancillary data between JSON and what the kernel has. */
#include <time.h> /* which <linux/errqueue.h> needs */

#include <linux/errqueue.h>
#include <netinet/in.h>
#include <netinet/udp.h>

#include "api/ancillary.h"
#include "daemon/sockets/cleanup.h"
#include "tests/unit/rows.h"

static json_t *parse(const char *quoted)
{
        char text[2048];
        snprintf(text, sizeof text, "%s", quoted);
        for (char *at = text; *at; at++)
                if (*at == '\'')
                        *at = '"';
        json_t *const json = json_loads(text, 0, NULL);
        assert_non_null(json);
        return json;
}

static json_t *take_none(void *context, const int *fds, size_t count)
{
        (void)fds;
        *(size_t *)context += count;
        return json_pack("{sI}", "count", (json_int_t)count);
}

static void expect_same(json_t *got, const char *expected)
{
        json_auto_t *want = parse(expected);
        if (!json_equal(got, want)) {
                char *const text = json_dumps(got, 0);
                print_error("%s, not %s\n", text, expected);
                free(text);
                fail();
        }
}

/* There and back. */
static const struct round {
        const char *name, *sent;
        const char *back; /* NULL: the same */
} rounds[] = {
        { "nothing", "[]", NULL },
        { "an integer", "[{'level':'IPPROTO_IP','type':'IP_TTL','value':9}]", NULL },
        { "by numbers", "[{'level':0,'type':2,'value':9}]",
                "[{'level':'IPPROTO_IP','type':'IP_TTL','value':9}]" },
        { "a level by another name", "[{'level':'SOL_UDP','type':'UDP_SEGMENT','value':65535}]",
                "[{'level':'IPPROTO_UDP','type':'UDP_SEGMENT','value':65535}]" },
        { "raw for a known type", "[{'level':41,'type':'IPV6_HOPLIMIT','raw':'BwAAAA=='}]",
                "[{'level':'IPPROTO_IPV6','type':'IPV6_HOPLIMIT','value':7}]" },
        { "raw that does not fit", "[{'level':41,'type':'IPV6_HOPLIMIT','raw':'Bwc='}]",
                "[{'level':'IPPROTO_IPV6','type':'IPV6_HOPLIMIT','raw':'Bwc='}]" },
        { "one byte", "[{'level':'IPPROTO_IP','type':'IP_TOS','raw':'EA=='}]",
                "[{'level':'IPPROTO_IP','type':'IP_TOS','value':16}]" },
        { "unknown", "[{'level':9999,'type':77,'raw':'AQIDBAUGBwgJ'}]", NULL },
        { "unknown, without bytes", "[{'level':9999,'type':77,'raw':''}]", NULL },
        { "a name without a shape", "[{'level':'IPPROTO_IP','type':'IP_RETOPTS','raw':'AQ=='}]", NULL },
        { "a packet's ways",
                "[{'level':'IPPROTO_IP','type':'IP_PKTINFO','value':{'interface':'lo','local':'127.0.0.3',"
                "'destination':'127.0.0.2'}}]",
                NULL },
        { "a packet's ways, in part", "[{'level':'IPPROTO_IP','type':'IP_PKTINFO','value':{}}]",
                "[{'level':'IPPROTO_IP','type':'IP_PKTINFO','value':{'interface':0,'local':'0.0.0.0',"
                "'destination':'0.0.0.0'}}]" },
        { "an IPv6 packet's ways",
                "[{'level':'IPPROTO_IPV6','type':'IPV6_PKTINFO','value':{'interface':'lo','address':'::1'}}]",
                NULL },
        { "credentials",
                "[{'level':'SOL_SOCKET','type':'SCM_CREDENTIALS','value':{'pid':1,'uid':2,'gid':4294967295}}"
                "]",
                NULL },
        { "which times to note",
                "[{'level':'SOL_SOCKET','type':'SCM_TIMESTAMPING','value':['SOF_TIMESTAMPING_TX_SOFTWARE']}]",
                NULL },
        { "a time to send at", "[{'level':'SOL_SOCKET','type':'SCM_TXTIME','value':'18446744073709551615'}]",
                NULL },
        { "a mark", "[{'level':'SOL_SOCKET','type':'SO_MARK','value':4294967295}]", NULL },
        { "several",
                "[{'level':'IPPROTO_IP','type':'IP_TTL','value':9},{'level':9999,'type':1,'raw':'AQ=='},"
                "{'level':'IPPROTO_UDP','type':'UDP_SEGMENT','value':3}]",
                NULL },
};

static void there_and_back(void **state)
{
        const struct round *const row = *state;
        struct arena arena = { .blocks = NULL };
        struct problem problem = { .extra = NULL };
        struct decoder decoder = { .arena = &arena, .problem = &problem };
        struct control control;
        json_auto_t *sent = parse(row->sent);
        if (!decode_ancillary(&decoder, sent, &control))
                fail_msg("%s", problem.detail);
        assert_null(control.rights);
        size_t taken = 0;
        const struct descriptor_taker taker = { .take = take_none, .context = &taken };
        struct msghdr header = { .msg_control = control.bytes, .msg_controllen = control.size };
        json_auto_t *back = encode_ancillary(&header, &taker);
        expect_same(back, row->back == NULL ? row->sent : row->back);
        arena_free(&arena);
}

/* Wrong ones, and what names itself. */
static const struct wrong {
        const char *name, *sent, *parameter;
} wrongs[] = {
        { "no object", "[1]", "ancillary[0]" },
        { "no level", "[{'type':1,'value':1}]", "ancillary[0].level" },
        { "no type", "[{'level':1,'value':1}]", "ancillary[0].type" },
        { "a type that is neither", "[{'level':1,'type':{},'value':1}]", "ancillary[0].type" },
        { "a name that is none", "[{'level':1,'type':'SCM_RIGHT','value':1}]", "ancillary[0].type" },
        { "the second", "[{'level':0,'type':2,'value':1},{'level':0,'type':2}]", "ancillary[1].value" },
        { "a segment that is too long", "[{'level':'IPPROTO_UDP','type':'UDP_SEGMENT','value':65536}]",
                "ancillary[0].value" },
        { "an address that is none",
                "[{'level':'IPPROTO_IP','type':'IP_PKTINFO','value':{'local':'nowhere'}}]",
                "ancillary[0].value.local" },
        { "a member that is none", "[{'level':'IPPROTO_IP','type':'IP_PKTINFO','value':{'remote':'::'}}]",
                "ancillary[0].value" },
        { "an error", "[{'level':'IPPROTO_IP','type':'IP_RECVERR','value':{}}]", "ancillary[0].type" },
        { "descriptors raw", "[{'level':'SOL_SOCKET','type':'SCM_RIGHTS','raw':'AAAAAA=='}]",
                "ancillary[0].raw" },
        { "a process raw", "[{'level':'SOL_SOCKET','type':4,'raw':'AAAAAA=='}]", "ancillary[0].raw" },
        { "a process", "[{'level':'SOL_SOCKET','type':'SCM_PIDFD','value':1}]", "ancillary[0].type" },
        { "ids that are none", "[{'level':1,'type':1,'value':{'sockets':[1]}}]",
                "ancillary[0].value.sockets" },
        { "more than ids", "[{'level':1,'type':1,'value':{'sockets':['a'],'closed':[]}}]",
                "ancillary[0].value" },
        { "addresses of memory", "[{'level':276,'type':2,'raw':'AAAAAA=='}]", "ancillary[0].level" },
};

static void names_itself(void **state)
{
        const struct wrong *const row = *state;
        struct arena arena = { .blocks = NULL };
        struct problem problem = { .extra = NULL };
        struct decoder decoder = { .arena = &arena, .problem = &problem };
        struct control control;
        json_auto_t *sent = parse(row->sent);
        assert_false(decode_ancillary(&decoder, sent, &control));
        assert_string_equal(problem.parameter, row->parameter);
        arena_free(&arena);
}

static void too_much(void **state)
{
        (void)state;
        struct arena arena = { .blocks = NULL };
        struct problem problem = { .extra = NULL };
        struct decoder decoder = { .arena = &arena, .problem = &problem };
        struct control control;
        json_auto_t *list = json_array();
        char *const text = malloc(60001);
        memset(text, 'A', 60000);
        text[60000] = '\0';
        for (int i = 0; i < 2; i++)
                json_array_append_new(list, json_pack("{si,si,ss}", "level", 9999, "type", 1, "raw", text));
        assert_false(decode_ancillary(&decoder, list, &control));
        assert_string_equal(problem.parameter, "ancillary[1]");
        free(text);
        arena_free(&arena);
}

/* What only the kernel says. */
static json_t *encode_one(int level, int type, const void *bytes, size_t size, size_t *taken)
{
        _Alignas(struct cmsghdr) uint8_t control[512] = { 0 };
        struct cmsghdr at = { .cmsg_level = level, .cmsg_type = type, .cmsg_len = CMSG_LEN(size) };
        memcpy(control, &at, sizeof at);
        memcpy(control + CMSG_LEN(0), bytes, size);
        const struct descriptor_taker taker = { .take = take_none, .context = taken };
        struct msghdr header = { .msg_control = control, .msg_controllen = CMSG_LEN(size) };
        return encode_ancillary(&header, &taker);
}

static void times(void **state)
{
        (void)state;
        const struct timespec time = { .tv_sec = 1767225600, .tv_nsec = 5 };
        const struct timeval us = { .tv_sec = 1767225600, .tv_usec = 5 };
        const struct scm_timestamping three = { .ts = { time } };
        json_auto_t *one = encode_one(SOL_SOCKET, SO_TIMESTAMPNS, &time, sizeof time, NULL);
        expect_same(one, "[{'level':'SOL_SOCKET','type':'SCM_TIMESTAMPNS','value':'2026-01-01T00:00:00."
                         "000000005Z'}]");
        json_auto_t *old = encode_one(SOL_SOCKET, SO_TIMESTAMP, &us, sizeof us, NULL);
        expect_same(old,
                "[{'level':'SOL_SOCKET','type':'SCM_TIMESTAMP','value':'2026-01-01T00:00:00.000005000Z'}]");
        json_auto_t *all = encode_one(SOL_SOCKET, SO_TIMESTAMPING, &three, sizeof three, NULL);
        expect_same(all, "[{'level':'SOL_SOCKET','type':'SCM_TIMESTAMPING','value':{'software':'2026-01-01T"
                         "00:00:00.000000005Z','hardware':null}}]");
}

static void errors(void **state)
{
        (void)state;
        const struct {
                struct sock_extended_err error;
                struct sockaddr_in6 offender;
        } icmp6 = { { .ee_errno = EHOSTUNREACH,
                            .ee_origin = SO_EE_ORIGIN_ICMP6,
                            .ee_type = 3,
                            .ee_code = 0,
                            .ee_info = 1280 },
                { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT } };
        json_auto_t *one = encode_one(IPPROTO_IPV6, IPV6_RECVERR, &icmp6, sizeof icmp6, NULL);
        expect_same(one, "[{'level':'IPPROTO_IPV6','type':'IPV6_RECVERR','value':{'errno':'EHOSTUNREACH',"
                         "'class':'unreachable','origin':'SO_EE_ORIGIN_ICMP6','type':'ICMP6_TIME_EXCEEDED',"
                         "'code':'ICMP6_TIME_EXCEED_TRANSIT','info':1280,'data':0,'offender':{'family':"
                         "'AF_INET6','host':'::1','port':0,'scope_id':0,'flowinfo':0}}}]");
        const struct sock_extended_err local = {
                .ee_origin = SO_EE_ORIGIN_ZEROCOPY, .ee_code = 1, .ee_data = 7
        };
        json_auto_t *other = encode_one(IPPROTO_IP, IP_RECVERR, &local, sizeof local, NULL);
        expect_same(other, "[{'level':'IPPROTO_IP','type':'IP_RECVERR','value':{'errno':null,'origin':"
                           "'SO_EE_ORIGIN_ZEROCOPY','type':0,'code':1,'info':0,'data':7,'offender':null}}]");
}

static void descriptors(void **state)
{
        (void)state;
        const int fds[] = { 3, 4 };
        size_t taken = 0;
        json_auto_t *both = encode_one(SOL_SOCKET, SCM_RIGHTS, fds, sizeof fds, &taken);
        expect_same(both, "[{'level':'SOL_SOCKET','type':'SCM_RIGHTS','value':{'count':2}}]");
        json_auto_t *process = encode_one(SOL_SOCKET, 4, fds, sizeof *fds, &taken);
        expect_same(process, "[{'level':'SOL_SOCKET','type':'SCM_PIDFD','value':{'count':1}}]");
        assert_int_equal(taken, 3);
}

static void rights_have_a_place(void **state)
{
        (void)state;
        struct arena arena = { .blocks = NULL };
        struct problem problem = { .extra = NULL };
        struct decoder decoder = { .arena = &arena, .problem = &problem };
        struct control control;
        json_auto_t *list =
                parse("[{'level':'IPPROTO_IP','type':'IP_TTL','value':9},"
                      "{'level':'SOL_SOCKET','type':'SCM_RIGHTS','value':{'sockets':['a','b']}}]");
        assert_true(decode_ancillary(&decoder, list, &control));
        assert_non_null(control.rights);
        assert_null(control.rights->next);
        assert_int_equal(control.rights->offset, CMSG_SPACE(sizeof(int)) + CMSG_LEN(0));
        assert_int_equal(control.size, CMSG_SPACE(sizeof(int)) + CMSG_SPACE(2 * sizeof(int)));
        arena_free(&arena);
}

int main(void)
{
        static struct row_tests all;
        ROWS_ADD(&all, there_and_back, rounds);
        ROWS_ADD(&all, names_itself, wrongs);
        rows_add_one(&all, "too much", too_much);
        rows_add_one(&all, "times", times);
        rows_add_one(&all, "errors", errors);
        rows_add_one(&all, "descriptors", descriptors);
        rows_add_one(&all, "rights have a place", rights_have_a_place);
        return rows_run("ancillary", &all);
}
