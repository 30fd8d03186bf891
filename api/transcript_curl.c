/* transcript_curl.c: a transcript as a script of curl that calls it all again. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/recording.h"
#include "api/shell.h"
#include "api/transcript_format.h"

/* What a script begins with, behind a line that says of which socket it is. The reply of a call is kept for
 * made(), which finds the id of the socket that it made: the first member of that one's object. */
static const char preamble[] =
        "# Run it with SOCKWRIGHT_URL, as http://127.0.0.1:7625, and SOCKWRIGHT_TOKEN.\n"
        ": \"${SOCKWRIGHT_URL:?where the daemon is}\"\n"
        "\n"
        "call() { # call METHOD PATH [JSON]: prints the reply\n"
        "        reply=$(printf '%s' \"${3-}\" | curl --silent --show-error --request \"$1\" \\\n"
        "                ${SOCKWRIGHT_TOKEN:+--header \"Authorization: Bearer $SOCKWRIGHT_TOKEN\"} \\\n"
        "                ${3:+--header 'Content-Type: application/json' --data-binary @-} \\\n"
        "                \"$SOCKWRIGHT_URL$2\") || exit 1\n"
        "        printf '%s\\n' \"$reply\"\n"
        "}\n"
        "made() { # made N: the id of the socket that the last call made as its Nth\n"
        "        printf '%s\\n' \"$reply\" | tr '{' '\\n' | sed -n 's/^\"id\":\"\\([^\"]*\\)\".*/\\1/p' | "
        "sed -n \"$1p\"\n"
        "}\n"
        "\n";

struct script {
        struct print *print;
        const struct registry *registry;
        bool knows_self;
};

static void put(struct script *script, const char *text)
{
        print_text(script->print, text, strlen(text));
}

/* The JSON body: the payload beside the arguments. A piece of what was streamed is to be sent as a whole, and
 * where the stream now stands. */
static void put_body(struct script *script, const struct recording *recording)
{
        json_auto_t *arguments = part_json(&recording->arguments);
        struct print body = { .flags = JSON_ENSURE_ASCII };
        if (recording->piece || strcmp(recording->operation->name, "socket_upload") == 0) {
                json_object_set_new(arguments, "all", json_true());
                json_object_del(arguments, "offset");
        }
        PRINT(&body, "{");
        if (recording->sent.given) {
                PRINT(&body, "\"data\":\"");
                print_base64(&body, recording->sent.bytes, recording->sent.size);
                PRINT(&body, "\"");
        }
        struct print rest = { .flags = JSON_ENSURE_ASCII };
        print_json(&rest, arguments);
        if (recording->sent.given && rest.size > 2)
                PRINT(&body, ",");
        if (rest.size > 1)
                print_text(&body, rest.bytes + 1, rest.size - 1);
        script->print->failed |= body.failed || rest.failed;
        if (body.bytes != NULL)
                shell_quote(script->print, body.bytes, body.size);
        free(rest.bytes);
        free(body.bytes);
}

/* The path, with a variable for the socket: the script's own, or the listener that it was accepted from. */
static void put_path(struct script *script, const struct recording *recording)
{
        const bool uploads = strcmp(recording->operation->name, "socket_upload") == 0;
        const char *const path = recording->operation->path, *const mark = strstr(path, "{id}");
        put(script, uploads ? "POST" : method_names[recording->operation->method]);
        put(script, " \"");
        print_text(script->print, path, mark == NULL ? strlen(path) : (size_t)(mark - path));
        if (mark != NULL) {
                put(script, recording->subject == recording->self ? "$self" : "$listener");
                put(script, mark + 4);
        }
        put(script, "\"");
}

/* Before the first call that needs them: what no call of this script has made. */
static void put_needs(struct script *script, const struct recording *recording)
{
        if (script->knows_self || recording->subject == 0)
                return;
        if (recording->subject == recording->self) {
                put(script, "# The call that made the socket is not recorded (any more).\n"
                            "self=${SOCKWRIGHT_SOCKET:?the id of a socket to call this on}\n");
                script->knows_self = true;
        } else {
                put(script, "listener=${SOCKWRIGHT_LISTENER:?the id of a listener with a connection to "
                            "accept}\n");
        }
}

/* The place of the socket among those that the call has made, from 1 on; 0: it is none of them. */
static int place_of(const struct script *script, const struct recording *recording)
{
        char id[SOCKET_ID_SIZE];
        json_auto_t *reply = part_json(&recording->reply);
        const json_t *const pair = json_object_get(reply, "sockets");
        registry_format_id(script->registry, recording->self, id);
        size_t index;
        const json_t *object;
        json_array_foreach(pair, index, object)
        {
                const char *const made = json_string_value(json_object_get(object, "id"));
                if (made != NULL && strcmp(made, id) == 0)
                        return (int)index + 1;
        }
        const char *const made = json_string_value(json_object_get(reply, "id"));
        return made != NULL && strcmp(made, id) == 0 ? 1 : 0;
}

/* What the call has made gets a name of its own. */
static void put_made(struct script *script, const struct recording *recording)
{
        char line[64];
        if (recording->operation->success != 201 || recording->status != 201)
                return;
        const int place = place_of(script, recording);
        if (place > 0) {
                snprintf(line, sizeof line, "self=$(made %d)\n", place);
                script->knows_self = true;
        } else {
                snprintf(line, sizeof line, "made_%llu=$(made 1)\n",
                        (unsigned long long)recording->entry.sequence);
        }
        put(script, line);
}

/* Of what was streamed, the pieces that were sent are called again, or else the one call that received it
 * all. */
static bool is_left_out(const struct recording *recording)
{
        const bool sends = recording->operation->turn == TURN_SEND;
        return sends ? recording->streamed && !recording->piece : recording->piece;
}

static void take_entry(void *context, const struct transcript_entry *entry)
{
        struct script *const script = context;
        const struct recording *const recording = (const struct recording *)entry;
        const bool has_body =
                recording->operation->method == METHOD_POST || recording->operation->method == METHOD_PUT;
        if (is_left_out(recording))
                return;
        put_needs(script, recording);
        put(script, "call ");
        put_path(script, recording);
        if (has_body) {
                put(script, " ");
                put_body(script, recording);
        }
        put(script, "\n");
        put_made(script, recording);
}

void transcript_print_curl(struct print *print, const struct registry *registry, const struct socket *socket)
{
        char id[SOCKET_ID_SIZE];
        struct script script = { .print = print, .registry = registry };
        put(&script, "#!/bin/sh\n# What was called on socket ");
        put(&script, registry_format_id(registry, socket->number, id));
        put(&script, ", to be called again.\n");
        put(&script, preamble);
        transcript_read(socket->transcript, take_entry, &script);
}
