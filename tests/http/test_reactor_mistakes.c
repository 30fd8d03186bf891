/* test_reactor_mistakes.c: reactors that are asked for wrongly, and what is said of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/http/steps.h"

static const struct mistake {
        const char *name, *json, *parameter;
} mistakes[] = {
        { "no kind", "{}", "kind" },
        { "an unknown kind", "{'kind':'ecko'}", "kind" },
        { "an unknown member", "{'kind':'echo','colour':1}", "colour" },
        { "a rate of an echo", "{'kind':'echo','rate':1}", "rate" },
        { "a rate below 0", "{'kind':'source','rate':-1}", "rate" },
        { "a size that is too large", "{'kind':'source','size':65537}", "size" },
        { "no connections", "{'kind':'echo','connections':0}", "connections" },
        { "too many connections", "{'kind':'echo','connections':1025}", "connections" },
        { "two patterns", "{'kind':'source','pattern':'eA==','pattern_text':'x'}", "pattern" },
        { "an empty pattern", "{'kind':'source','pattern':''}", "pattern" },
        { "an empty text", "{'kind':'verify','pattern_text':''}", "pattern_text" },
        { "a pattern of a sink", "{'kind':'sink','pattern_text':'x'}", "pattern_text" },
        { "a total of an echo", "{'kind':'echo','total':1}", "total" },
        { "no replies", "{'kind':'reply'}", "replies" },
        { "an empty list of replies", "{'kind':'reply','replies':[]}", "replies" },
        { "replies of another kind", "{'kind':'echo','replies':[]}", "replies" },
        { "a reply that is a number", "{'kind':'reply','replies':[1]}", "replies[0]" },
        { "a reply without then", "{'kind':'reply','replies':[{'when_text':'x'}]}", "replies[0].then" },
        { "a reply to nothing", "{'kind':'reply','replies':[{'when':'','then':''}]}", "replies[0].when" },
        { "no target", "{'kind':'forward'}", "to" },
};

static void play_mistake(struct stage *stage, const void *row)
{
        const struct mistake *const mistake = row;
        const char *const id = make(stage, "");
        char path[128];
        snprintf(path, sizeof path, "/v1/sockets/%s/reactor", id);
        char *const body = requote(mistake->json);
        const struct request request = { .method = "PUT", .path = path, .json = body };
        const struct reply *const reply = stage_keep(stage, exchange(stage->client, &request));
        free(body);
        expect_problem(reply, 400, mistake->parameter);
        assert_int_equal(
                strncmp(text_at(reply, "detail"), mistake->parameter, strlen(mistake->parameter)), 0);
        get(stage, 404, "/v1/sockets/%s/reactor", id);
}

int main(void)
{
        SUITE_ADD_ROWS(play_mistake, mistakes);
        return suite_run("reactor_mistakes", NULL);
}
