/* transcript_json.c: a transcript as JSON. */
#include <string.h>

#include "api/kind.h"
#include "api/recording.h"
#include "api/transcript_format.h"

struct listing {
        struct print *print;
        const struct registry *registry;
        bool begun;
};

static void print_string(struct print *print, const char *text)
{
        PRINT(print, "\"");
        print_text(print, text, strlen(text));
        PRINT(print, "\"");
}

/* An object of JSON, with a payload as its first member. */
static void print_object(struct print *print, const struct part *object, const struct part *payload)
{
        if (!object->given) {
                PRINT(print, "null");
                return;
        }
        if (!payload->given) {
                print_text(print, (const char *)object->bytes, object->size);
                return;
        }
        PRINT(print, "{\"data\":\"");
        print_base64(print, payload->bytes, payload->size);
        print_text(print, object->bytes[1] == '}' ? "\"" : "\",", object->bytes[1] == '}' ? 1 : 2);
        print_text(print, (const char *)object->bytes + 1, object->size - 1);
}

static void print_time(struct print *print, const struct timespec *time)
{
        const struct moment moment = { .time = *time };
        json_t *const text = encode_moment(NULL, &moment);
        print_json(print, text);
        json_decref(text);
}

/* The path, with the socket's id in it. */
static void print_path(struct listing *listing, const struct recording *recording)
{
        const char *const path = recording->operation->path, *const mark = strstr(path, "{id}");
        char id[SOCKET_ID_SIZE];
        PRINT(listing->print, "\"");
        print_text(listing->print, path, mark == NULL ? strlen(path) : (size_t)(mark - path));
        if (mark != NULL) {
                registry_format_id(listing->registry, recording->subject, id);
                print_text(listing->print, id, strlen(id));
                print_text(listing->print, mark + 4, strlen(mark + 4));
        }
        PRINT(listing->print, "\"");
}

static void take_entry(void *context, const struct transcript_entry *entry)
{
        struct listing *const listing = context;
        struct print *const print = listing->print;
        const struct recording *const recording = (const struct recording *)entry;
        print_text(print, ",", listing->begun);
        listing->begun = true;
        PRINT(print, "{\"sequence\":");
        print_integer(print, (json_int_t)entry->sequence);
        PRINT(print, ",\"time\":");
        print_time(print, &recording->started);
        PRINT(print, ",\"duration_us\":");
        print_integer(print, recording->duration_ns / 1000);
        PRINT(print, ",\"operation\":");
        print_string(print, recording->operation->name);
        PRINT(print, ",\"method\":");
        print_string(print, method_names[recording->operation->method]);
        PRINT(print, ",\"path\":");
        print_path(listing, recording);
        if (recording->piece)
                PRINT(print, ",\"piece\":true");
        PRINT(print, ",\"arguments\":");
        print_object(print, &recording->arguments, &recording->sent);
        PRINT(print, ",\"status\":");
        print_integer(print, recording->status);
        PRINT(print, ",\"reply\":");
        print_object(print, &recording->reply, &recording->received);
        PRINT(print, "}");
}

void transcript_print_json(struct print *print, const struct registry *registry, const struct socket *socket)
{
        char id[SOCKET_ID_SIZE];
        struct listing listing = { .print = print, .registry = registry };
        PRINT(print, "{\"socket\":");
        print_string(print, registry_format_id(registry, socket->number, id));
        PRINT(print, ",\"record_bytes\":");
        print_integer(print, (json_int_t)transcript_limit(socket->transcript));
        PRINT(print, ",\"calls\":[");
        const uint64_t gone = transcript_read(socket->transcript, take_entry, &listing);
        PRINT(print, "],\"gone\":");
        print_integer(print, (json_int_t)gone);
        PRINT(print, "}\n");
}
