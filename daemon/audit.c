/* audit.c: one structured line for each call that may change something, and for each that was not let in. */
#include "daemon/audit.h"

#include <ctype.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include "api/keyed.h"
#include "daemon/log.h"
#include "daemon/sockets/cleanup.h"

enum { FIELDS_MAX = 16, FIELD_SIZE = 640 };

static bool enabled, has_journal;

/* Whether standard error goes to the journal: $JOURNAL_STREAM is then its device and inode (systemd.exec(5)).
 */
static bool is_journal(void)
{
        const char *const stream = getenv("JOURNAL_STREAM");
        char own[64];
        struct stat status;
        if (stream == NULL || fstat(STDERR_FILENO, &status) != 0)
                return false;
        snprintf(own, sizeof own, "%llu:%llu", (unsigned long long)status.st_dev,
                (unsigned long long)status.st_ino);
        return strcmp(stream, own) == 0;
}

void audit_enable(void)
{
        enabled = true;
        has_journal = is_journal();
}

bool audit_is_enabled(void)
{
        return enabled;
}

static void add(json_t *line, const char *name, const char *text)
{
        if (text != NULL && text[0] != '\0')
                json_object_set_new(line, name, json_string(text));
}

/* The addresses that the call names, or that came of it. */
static void add_addresses(json_t *line, const struct fields *fields, const void *record)
{
        for (size_t i = 0; record != NULL && i < fields->count; i++) {
                if (fields->rows[i].kind != FIELD_ADDRESS)
                        continue;
                const struct address *const address =
                        (const struct address *)((const char *)record + fields->rows[i].offset);
                char text[ADDRESS_TEXT_SIZE];
                if (address->given)
                        add(line, fields->rows[i].name, address_format(address, text, sizeof text));
        }
}

/* The socket or session that was made, or that the path names. */
static void add_id(json_t *line, const struct call *call)
{
        const uint64_t number = call->created != 0      ? call->created
                                : call->socket != NULL  ? call->socket->number
                                : call->session != NULL ? call->session->number
                                                        : 0;
        char id[SOCKET_ID_SIZE];
        if (number != 0)
                add(line, operation_is_of_sessions(call->operation) ? "session" : "socket",
                        registry_format_id(call->service->registry, number, id));
}

static json_t *line_of(const struct audit *audit)
{
        const struct call *const call = audit->call;
        json_t *const line = json_object();
        add(line, "who", call->caller.account == NULL ? "nobody" : call->caller.account->name);
        add(line, "from", audit->from);
        if (audit->operation != NULL) {
                add(line, "what", audit->operation->name);
                add_id(line, call);
                add_addresses(line, audit->operation->request, call->request);
                add_addresses(line, audit->operation->reply, call->reply);
        }
        json_object_set_new(line, "status", json_integer(audit->status));
        add(line, "errno", call->operation == NULL ? NULL : call_errno_name(call));
        add(line, "replayed", keyed_replays(call) ? "true" : NULL);
        json_object_set_new(line, "duration_us", json_integer(audit->duration_us));
        return line;
}

/* "SOCKWRIGHT_WHO=ci" for each member. */
static size_t journal_fields(json_t *line, char texts[FIELDS_MAX][FIELD_SIZE])
{
        const char *name;
        json_t *value;
        size_t count = 0;
        json_object_foreach(line, name, value)
        {
                char *const text = texts[count];
                int size = snprintf(text, FIELD_SIZE, "SOCKWRIGHT_%s=", name);
                for (char *at = text; *at != '='; at++)
                        *at = (char)toupper((unsigned char)*at);
                if (json_is_string(value))
                        snprintf(text + size, FIELD_SIZE - (size_t)size, "%s", json_string_value(value));
                else
                        snprintf(text + size, FIELD_SIZE - (size_t)size, "%" JSON_INTEGER_FORMAT,
                                json_integer_value(value));
                if (++count == FIELDS_MAX)
                        break;
        }
        return count;
}

/* seccomp: socket sendmsg memfd_create write fcntl close */
static void send_to_journal(json_t *line, const char *message)
{
        char texts[FIELDS_MAX][FIELD_SIZE], whole[LOG_LINE_SIZE], priority[] = "PRIORITY=5";
        struct iovec fields[FIELDS_MAX + 2];
        const size_t count = journal_fields(line, texts);
        snprintf(whole, sizeof whole, "MESSAGE=audit: %s", message);
        for (size_t i = 0; i < count; i++)
                fields[i] = (struct iovec){ .iov_base = texts[i], .iov_len = strlen(texts[i]) };
        fields[count] = (struct iovec){ .iov_base = whole, .iov_len = strlen(whole) };
        fields[count + 1] = (struct iovec){ .iov_base = priority, .iov_len = sizeof priority - 1 };
        sd_journal_sendv(fields, (int)count + 2);
}

void audit_write(const struct audit *audit)
{
        const bool refused = audit->status == 401 || audit->status == 403;
        const struct operation *const operation = audit->operation;
        if (!refused && (operation == NULL || operation->role != ROLE_OPERATE))
                return;
        json_auto_t *line = line_of(audit);
        char *message memory_auto = json_dumps(line, JSON_COMPACT | JSON_ENSURE_ASCII);
        if (message == NULL)
                return;
        if (has_journal)
                send_to_journal(line, message);
        else
                log_plain(LOG_LEVEL_NOTICE, "audit: ", message);
}
