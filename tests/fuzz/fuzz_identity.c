/* fuzz_identity.c: the tokens file: who is let in stands there in so many words. */
#include "daemon/identity.h"

#include "daemon/sockets/cleanup.h"
#include "tests/fuzz/fuzz.h"

/* A line that says the same. */
static void append(char *out, size_t out_size, const struct identity *identity)
{
        const struct caller *const caller = &identity->caller;
        size_t used = strlen(out);
        used += (size_t)snprintf(out + used, out_size - used, "%s:", caller->account->name);
        if (identity->credential == CREDENTIAL_TOKEN) {
                used += (size_t)snprintf(out + used, out_size - used, "sha256:");
                for (size_t i = 0; i < DIGEST_SIZE; i++)
                        used += (size_t)snprintf(out + used, out_size - used, "%02x", identity->digest[i]);
        } else if (identity->credential == CREDENTIAL_CERTIFICATE) {
                used += (size_t)snprintf(out + used, out_size - used, "certificate");
        } else {
                used += (size_t)snprintf(out + used, out_size - used, "%s:%u",
                        identity->credential == CREDENTIAL_UID ? "uid" : "gid", (unsigned)identity->id);
        }
        snprintf(out + used, out_size - used, ",%s%s%s%s%s\n", caller->operates ? "operate " : "watch ",
                caller->administers ? "admin" : "", caller->policy[0] == '\0' ? "" : ",", caller->policy, "");
}

static bool same(const struct identity *one, const struct identity *other)
{
        return one->caller.account == other->caller.account &&
               strcmp(one->caller.policy, other->caller.policy) == 0 &&
               one->caller.operates == other->caller.operates &&
               one->caller.administers == other->caller.administers && one->credential == other->credential &&
               one->id == other->id && memcmp(one->digest, other->digest, DIGEST_SIZE) == 0;
}

static void check_read(const char *original, const struct identities *read, struct accounts *accounts)
{
        enum { LINE_MOST = 256 };
        const size_t size = read->count * LINE_MOST + 1;
        memory_auto char *text = fuzz_room(size);
        struct identities again = { 0 };
        const char *why = NULL;
        text[0] = '\0';
        for (size_t i = 0; i < read->count; i++) {
                const struct identity *const identity = &read->items[i];
                HOLDS(identity_is_name(identity->caller.account->name));
                HOLDS(strstr(original, identity->caller.account->name) != NULL);
                HOLDS(!identity->caller.operates || strstr(original, "operate") != NULL ||
                        strstr(original, "admin") != NULL);
                HOLDS(!identity->caller.administers || strstr(original, "admin") != NULL);
                append(text, size, identity);
        }
        HOLDS(identities_read(text, accounts, &again, &why) == 0 && again.count == read->count);
        for (size_t i = 0; i < read->count; i++)
                HOLDS(same(&read->items[i], &again.items[i]));
        free(again.items);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
        static const struct limits none;
        struct accounts *const accounts = accounts_new(&none, &none);
        memory_auto char *text = fuzz_text(bytes, size);
        memory_auto char *original = fuzz_text(bytes, size);
        struct identities read = { 0 };
        const char *why = NULL;
        HOLDS(accounts != NULL);
        const size_t line = identities_read(text, accounts, &read, &why);
        if (line == 0)
                check_read(original, &read, accounts);
        else
                HOLDS(why != NULL && read.items == NULL && read.count == 0);
        free(read.items);
        accounts_free(accounts);
        return 0;
}
