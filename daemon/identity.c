/* identity.c: the tokens file: one line per way to be known by a name. */
#include "daemon/identity.h"

#include <ctype.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/sockets/cleanup.h"

/* The line's parts, without the blanks around them; NULL: not there. */
struct line {
        char *name, *credential, *roles, *policy;
};

static char *trim(char *text)
{
        if (text == NULL)
                return NULL;
        text += strspn(text, " \t\r");
        size_t size = strlen(text);
        while (size > 0 && strchr(" \t\r", text[size - 1]) != NULL)
                text[--size] = '\0';
        return text;
}

bool identity_is_name(const char *name)
{
        size_t size = 0;
        while (isalnum((unsigned char)name[size]) ||
                (name[size] != '\0' && strchr("-_.", name[size]) != NULL))
                size++;
        return size > 0 && name[size] == '\0' && size < ACCOUNT_NAME_SIZE;
}

static bool read_digest(const char *text, struct identity *out)
{
        size_t size = 0;
        return OPENSSL_hexstr2buf_ex(out->digest, DIGEST_SIZE, &size, text, '\0') == 1 && size == DIGEST_SIZE;
}

static bool read_id(const char *text, struct identity *out)
{
        char *end;
        errno = 0;
        const unsigned long id = strtoul(text, &end, 10);
        /* The highest number means no user. */
        if (!isdigit((unsigned char)text[0]) || *end != '\0' || errno != 0 || id >= UINT32_MAX)
                return false;
        out->id = (id_t)id;
        return true;
}

static bool read_nothing(const char *text, struct identity *out)
{
        (void)out;
        return *text == '\0';
}

/* How each credential begins, and what stands behind that. */
static const struct {
        const char *prefix;
        enum credential credential;
        bool (*read)(const char *text, struct identity *out);
} credentials[] = {
        { "sha256:", CREDENTIAL_TOKEN, read_digest },
        { "uid:", CREDENTIAL_UID, read_id },
        { "gid:", CREDENTIAL_GID, read_id },
        { "certificate", CREDENTIAL_CERTIFICATE, read_nothing },
};

static bool read_credential(const char *text, struct identity *out)
{
        for (size_t i = 0; text != NULL && i < sizeof credentials / sizeof *credentials; i++) {
                const size_t size = strlen(credentials[i].prefix);
                if (strncmp(text, credentials[i].prefix, size) != 0)
                        continue;
                out->credential = credentials[i].credential;
                return credentials[i].read(text + size, out);
        }
        return false;
}

/* "watch" only looks; "admin" alone operates too. */
static bool read_roles(char *text, struct caller *out)
{
        bool watches = false, administers = false, operates = false;
        const struct {
                const char *name;
                bool *has;
        } roles[] = { { "watch", &watches }, { "operate", &operates }, { "admin", &administers } };
        char *rest = NULL;
        for (char *word = strtok_r(text, " \t", &rest); word != NULL; word = strtok_r(NULL, " \t", &rest)) {
                size_t i = 0;
                while (i < 3 && strcmp(word, roles[i].name) != 0)
                        i++;
                if (i == 3)
                        return false;
                *roles[i].has = true;
        }
        out->administers = administers;
        out->operates = operates || (administers && !watches);
        return watches || operates || administers;
}

/* What is wrong with a line, or NULL. */
static const char *read_line(const struct line *line, struct accounts *accounts, struct identity *out)
{
        if (!identity_is_name(line->name))
                return "the name must have 1 to 63 letters, digits, \"-\", \"_\" or \".\"";
        if (!read_credential(line->credential, out))
                return "behind the name must stand sha256: and 64 hexadecimal digits, uid:N, gid:N or "
                       "certificate";
        if (line->roles == NULL || !read_roles(line->roles, &out->caller))
                return "the roles must be of watch, operate and admin, with blanks between them";
        if (line->policy != NULL &&
                (!identity_is_name(line->policy) || strlen(line->policy) >= POLICY_NAME_SIZE))
                return "the policy must have 1 to 31 letters, digits, \"-\", \"_\" or \".\"";
        if (line->policy != NULL)
                memcpy(out->caller.policy, line->policy, strlen(line->policy) + 1);
        out->caller.account = accounts_find(accounts, line->name);
        return out->caller.account == NULL ? "out of memory" : NULL;
}

static struct line split(char *text)
{
        struct line line = { .name = strsep(&text, ":") };
        line.credential = strsep(&text, ",");
        line.roles = strsep(&text, ",");
        line.policy = text;
        line.name = trim(line.name);
        line.credential = trim(line.credential);
        line.policy = trim(line.policy);
        return line;
}

size_t identities_read(char *text, struct accounts *accounts, struct identities *out, const char **why)
{
        struct identity *items memory_auto = NULL;
        size_t count = 0, number = 1;
        for (char *at; (at = strsep(&text, "\n")) != NULL; number++) {
                char *const trimmed = trim(at);
                if (trimmed[0] == '\0' || trimmed[0] == '#')
                        continue;
                struct identity *const grown = reallocarray(items, count + 1, sizeof *items);
                if (grown == NULL) {
                        *why = "out of memory";
                        return number;
                }
                items = grown;
                items[count] = (struct identity){ 0 };
                const struct line line = split(trimmed);
                *why = read_line(&line, accounts, &items[count]);
                if (*why != NULL)
                        return number;
                count++;
        }
        *out = (struct identities){ .items = TAKE(items), .count = count };
        return 0;
}
